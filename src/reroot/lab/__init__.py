"""A real rotation to practise on: certificate authorities, PostgreSQL servers and clients, all on this machine."""
