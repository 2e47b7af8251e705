"""Runs a program in a terminal of its own, a pseudo-terminal: what comes in on standard input is
typed, what the program draws goes out.

    terminal.py ROWS COLUMNS PROGRAM [ARGUMENT ...]

When it has ended, standard error tells how, whether the terminal was raw meanwhile, and whether it
is as it was before:

    {"exit": 0, "raw": true, "restored": true}
"""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios


def main():
    rows, columns, *command = sys.argv[1:]
    ours, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))
    before = termios.tcgetattr(terminal)
    program = subprocess.Popen(
        command,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(terminal, termios.TIOCSCTTY, 0),
    )
    was_raw = relay(program, ours, terminal)
    after = termios.tcgetattr(terminal)
    told = {"exit": program.returncode, "raw": was_raw, "restored": after == before}
    print(json.dumps(told), file=sys.stderr)


def relay(program, ours, terminal):
    """Types and shows until the program has ended and all it drew is out."""
    listening = [ours, sys.stdin.fileno()]
    was_raw = False
    while True:
        has_ended = program.poll() is not None
        readable, _, _ = select.select(listening, [], [], 0.02)
        if ours in readable:
            sys.stdout.buffer.write(os.read(ours, 65_536))
            sys.stdout.buffer.flush()
        elif has_ended:
            return was_raw
        if sys.stdin.fileno() in readable:
            typed = os.read(sys.stdin.fileno(), 4_096)
            if not typed:
                # Whoever typed is gone, and nobody looks.
                program.kill()
                listening = [ours]
            os.write(ours, typed)
        was_raw |= not termios.tcgetattr(terminal)[3] & termios.ICANON


main()
