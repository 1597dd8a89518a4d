"""Tells what Python's codecs or glibc's iconv make of single characters.

Each line of the input is "PEER NAME SCOPE CODE...", with the codes in hex. The
answer is a line "ok TEXT...", the text of each code in hex of UTF-8 or "-", and
a line "RUNE=CODE..." of the runes that NAME has: of all of the planes 0 to 2
and some of the others if SCOPE is "all", without most of those that no code
page of 256 characters has if it is "few". Without that NAME, the answer is "no"
and an empty line.
"""
import ctypes
import functools
import sys


class Python:
    def __init__(self, name):
        "".encode(name)
        self.name = name

    def decode(self, code):
        return code.decode(self.name).encode()

    def encode(self, text):
        return text.encode(self.name, "ignore")


class Iconv:
    libc = ctypes.CDLL(None, use_errno=True)

    def __init__(self, name):
        self.libc.gnu_get_libc_version  # other iconvs have other tables
        self.libc.iconv_open.restype = ctypes.c_void_p
        self.libc.iconv.restype = ctypes.c_ssize_t
        self.libc.iconv.argtypes = [ctypes.c_void_p] + 4 * [ctypes.c_void_p]
        self.dec = self.libc.iconv_open(b"UTF-8", name.encode())
        self.enc = self.libc.iconv_open(name.encode() + b"//IGNORE", b"UTF-8")
        if self.dec == ctypes.c_void_p(-1).value or self.enc == ctypes.c_void_p(-1).value:
            raise LookupError(name)
        self.src = ctypes.create_string_buffer(64)
        self.dst = ctypes.create_string_buffer(64)
        self.pin, self.pout = ctypes.c_void_p(), ctypes.c_void_p()
        self.nin, self.nout = ctypes.c_size_t(), ctypes.c_size_t()
        self.refs = [ctypes.byref(x) for x in (self.pin, self.nin, self.pout, self.nout)]

    def convert(self, cd, src):
        iconv = self.libc.iconv
        self.src.raw = src.ljust(64, b"\0")
        self.pin.value, self.pout.value = ctypes.addressof(self.src), ctypes.addressof(self.dst)
        self.nin.value, self.nout.value = len(src), 64
        if iconv(cd, *self.refs) < 0 or self.nin.value:
            iconv(cd, None, None, None, None)
            raise ValueError
        iconv(cd, None, None, self.refs[2], self.refs[3])
        return self.dst.raw[: 64 - self.nout.value]

    def decode(self, code):
        return self.convert(self.dec, code)

    def encode(self, text):
        src = text.encode()
        src, dst = ctypes.create_string_buffer(src, len(src)), ctypes.create_string_buffer(8 * len(src))
        self.pin.value, self.pout.value = ctypes.addressof(src), ctypes.addressof(dst)
        self.nin.value, self.nout.value = len(src), len(dst)
        # It says EILSEQ of what it has ignored, now and then.
        while self.nin.value:
            before = self.nin.value
            self.libc.iconv(self.enc, *self.refs)
            if self.nin.value == before:
                raise ValueError("iconv is stuck %d bytes before the end" % before)
        self.libc.iconv(self.enc, None, None, self.refs[2], self.refs[3])
        return dst.raw[: len(dst) - self.nout.value]


def runes(scope):
    for r in range(0x30000 if scope == "all" else 0x10000):
        if 0xD800 <= r < 0xE000 or scope == "few" and 0x3400 <= r < 0xD800 and r % 17:
            continue
        yield r
    yield from range(0x30000, 0x110000, 0x1003)


@functools.cache
def lines(scope, end):
    asked = [r for r in runes(scope) if r != ord(end)]
    return asked, end.join(map(chr, asked))


def encode_all(peer, scope):
    """Returns the runes with their codes, which are empty for those that are lacking."""
    # All at once, each rune in a line of its own. A page may have other characters that
    # are encoded as the end of the line.
    for end in "\n", "0", "z":
        asked, text = lines(scope, end)
        codes = peer.encode(text).split(peer.encode(end))
        if len(codes) == len(asked):
            return [*zip(asked, codes), (ord(end), peer.encode(end))]
    raise ValueError("%d lines for %d characters" % (len(codes), len(asked)))


def answer(peer, name, scope, codes):
    try:
        peer = {"python": Python, "iconv": Iconv}[peer](name)
    except (LookupError, AttributeError):
        return "no\n"
    out = ["ok"]
    for code in codes:
        try:
            out.append(peer.decode(bytes.fromhex(code)).hex() or "-")
        except ValueError:
            out.append("-")
    pairs = ["%x=%s" % (r, code.hex()) for r, code in encode_all(peer, scope) if code]
    return " ".join(out) + "\n" + " ".join(pairs)


for line in sys.stdin:
    peer, name, scope, *codes = line.split()
    print(answer(peer, name, scope, codes), flush=True)
