"""One libcrypto of any version, asked whether a chain verifies as a TLS client's would: run as a program of its own.

Argument: the library. Lines in: roots file, chain file, by a tab. Out: ``true`` or OpenSSL's error.
"""

import ctypes
import re
import ssl
import sys

lib = ctypes.CDLL(sys.argv[1])
for name, result in {
    "BIO_new_mem_buf": ctypes.c_void_p,
    "d2i_X509_bio": ctypes.c_void_p,
    "X509_STORE_new": ctypes.c_void_p,
    "X509_STORE_CTX_new": ctypes.c_void_p,
    "OPENSSL_sk_new_null": ctypes.c_void_p,
    "X509_verify_cert_error_string": ctypes.c_char_p,
    "OpenSSL_version": ctypes.c_char_p,
}.items():
    getattr(lib, name).restype = result
p = ctypes.c_void_p
BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)


def certificates(file: str) -> list[ctypes.c_void_p]:
    with open(file) as text:
        ders = [ssl.PEM_cert_to_DER_cert(block) for block in BLOCK.findall(text.read())]
    return [p(lib.d2i_X509_bio(p(lib.BIO_new_mem_buf(der, len(der))), None)) for der in ders]


def verify(roots: str, chain: str) -> str:
    store, stack, context = p(lib.X509_STORE_new()), p(lib.OPENSSL_sk_new_null()), p(lib.X509_STORE_CTX_new())
    assert lib.X509_STORE_load_locations(store, roots.encode(), None) == 1
    leaf, *rest = certificates(chain)
    for other in rest:
        lib.OPENSSL_sk_push(stack, other)
    lib.X509_STORE_CTX_init(context, store, leaf, stack)
    lib.X509_STORE_CTX_set_default(context, b"ssl_server")
    if lib.X509_verify_cert(context) == 1:
        return "true"
    error: bytes = lib.X509_verify_cert_error_string(ctypes.c_long(lib.X509_STORE_CTX_get_error(context)))
    return error.decode()


if __name__ == "__main__":
    for line in sys.stdin:
        print(verify(*line.rstrip("\n").split("\t")))
