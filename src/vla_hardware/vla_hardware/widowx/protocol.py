# SPDX-License-Identifier: Apache-2.0
"""Packets of protocol 2.0, for the emulated servos."""

from __future__ import annotations

HEADER = b"\xff\xff\xfd\x00"
RESERVED, STUFFED = b"\xff\xff\xfd", b"\xff\xff\xfd\xfd"


def checksum(data: bytes) -> int:
    """Return the CRC-16 of protocol 2.0 (polynomial 0x8005, no reflection)."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x8005 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def pack(servo: int, instruction: int, parameters: bytes) -> bytes:
    """Return a packet with stuffing and checksum."""
    body = bytes((instruction,)) + parameters
    body = body.replace(RESERVED, STUFFED)
    packet = HEADER + bytes((servo,)) + (len(body) + 2).to_bytes(2, "little") + body
    return packet + checksum(packet).to_bytes(2, "little")


def unstuff(data: bytes) -> bytes:
    """Return data as they were before they were stuffed."""
    return data.replace(STUFFED, RESERVED)


def cut(buffer: bytes) -> tuple[bytes, list[bytes]]:
    """Return what is left of `buffer`, and the whole packets with a right checksum in it."""
    packets: list[bytes] = []
    while (start := buffer.find(HEADER)) >= 0 and len(buffer) >= start + 7:
        end = start + 7 + int.from_bytes(buffer[start + 5 : start + 7], "little")
        if len(buffer) < end:
            return buffer[start:], packets
        packet, buffer = buffer[start:end], buffer[end:]
        if checksum(packet[:-2]) == int.from_bytes(packet[-2:], "little"):
            packets.append(packet)
    return buffer, packets
