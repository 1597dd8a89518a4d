"""A peer that speaks another implementation's encodings: Python's.

usage: peer.py PORT MODE CODEC NEWLINE TEXT, the last two in hexadecimal UTF-8
"""

import socket
import sys

port, mode, codec = int(sys.argv[1]), sys.argv[2], sys.argv[3]
newline, text = (bytes.fromhex(a).decode() for a in sys.argv[4:6])
sock = socket.create_connection(("127.0.0.1", port))


def encode(s):
    return s.replace("\n", newline).encode(codec)


def decode(b):
    return b.decode(codec).replace(newline, "\n")


def read_all():
    data = b""
    while True:
        chunk = sock.recv(4096)
        if not chunk:
            return decode(data)
        data += chunk


def echo():
    """Sends back what came, behind a line of its own."""
    got = read_all()
    sock.sendall(encode(text + got))


def tell():
    """Sends the text one byte at a time, then checks what the other side says."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for b in encode(text):
        sock.sendall(bytes([b]))
    sock.shutdown(socket.SHUT_WR)
    sys.stdout.write(read_all().encode().hex())


def lines():
    """Yields the lines that come, as they come."""
    import codecs

    decoder, pending = codecs.getincrementaldecoder(codec)(), ""
    while True:
        chunk = sock.recv(1)
        if not chunk:
            return
        pending += decoder.decode(chunk)
        if pending.endswith(newline):
            yield pending[: -len(newline)]
            pending = ""


def smtp():
    """Takes one message and says whether it is the right one."""
    encoder = __import__("codecs").getincrementalencoder(codec)()

    def say(s):
        sock.sendall(encoder.encode((s + "\n").replace("\n", newline)))

    message, in_data = [], False
    say("220 ようこそ")
    for line in lines():
        if in_data:
            if line == ".":
                in_data = False
                good = "\n".join(message) == text
                say("250 保存しました" if good else "550 " + repr(message))
            else:
                message.append(line[1:] if line.startswith(".") else line)
            continue
        verb = line.split()[0].upper()
        if verb == "DATA":
            in_data = True
            say("354 どうぞ")
        elif verb == "QUIT":
            say("221 さようなら")
            return
        elif verb in ("EHLO", "HELO", "MAIL", "RCPT", "NOOP"):
            say("250 はい " + line.partition(" ")[2])
        else:
            say("500 何")


def http():
    """Sends the text as a request and prints the whole response."""
    sock.sendall(encode(text))
    sys.stdout.write(read_all().encode().hex())


{"echo": echo, "tell": tell, "smtp": smtp, "http": http}[mode]()
