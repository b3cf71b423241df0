"""Rehearsals: their client's handshake with our stage, and how a program is led there without being changed."""
