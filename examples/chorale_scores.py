# SPDX-License-Identifier: Apache-2.0
"""Bach's chorales as arrays, from the scores that music21 ships, and a MIDI file from such an array.

In each eighth a voice does one of these: its last note sounds on (0), it is silent (1), or it strikes a key (2 and
more). Notes that begin between two eighths are left out.
"""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
import zipfile

import numpy as np
from command_line import folder

VOICES = ["Soprano", "Alto", "Tenor", "Bass"]
SOUNDS_ON, SILENT = 0, 1
LOWEST = 31  # the key that 2 stands for, by its number in MIDI
KINDS = 56  # of what a voice may do


def chorales(small=False):
    """Chorales (eighths, 4)."""
    paths = sorted((folder("music21", "music21") / "corpus" / "bach").glob("*.mxl"))
    scores = [score(path) for path in (paths[:20] if small else paths)]
    voices = [[voice(part) for part in one.iter("part")] for one in scores
              if [part.findtext("part-name") for part in one.iter("score-part")] == VOICES]
    return [np.array([*zip(*four)]) for four in voices]


def score(path):
    """The MusicXML in a file, which is a zip archive that says where it is."""
    with zipfile.ZipFile(path) as archive:
        inside = ET.fromstring(archive.read("META-INF/container.xml")).find(".//{*}rootfile").get("full-path")
        return ET.fromstring(archive.read(inside))


def voice(part):
    """What a voice does in each eighth, moved by up to 6 semitones to a key without sharps and flats."""
    down = (7 * int(part.findtext(".//fifths")) + 6) % 12 - 6
    at, line = 0, {}
    for element in part.iter():
        if element.tag == "divisions":
            eighth = int(element.text) / 2
        elif element.tag in ("note", "forward") and element.find("duration") is not None:
            tied = any(tie.get("type") == "stop" for tie in element.findall("tie"))
            line[at] = SOUNDS_ON if tied else kind(element.find("pitch"), down)
            at += int(element.findtext("duration")) / eighth
    return [line.get(i, SOUNDS_ON) for i in range(int(at))]


def kind(pitch, down):
    if pitch is None:
        return SILENT
    semitones = "C D EF G A B".index(pitch.findtext("step")) + int(pitch.findtext("alter") or 0)
    return 12 * int(pitch.findtext("octave")) + 12 + semitones - down - LOWEST + 2


def sounding(line):
    """The notes of a voice (notes, 3): the key, the first eighth and the length."""
    starts = np.flatnonzero(line != SOUNDS_ON)
    notes = np.stack([line[starts] - 2 + LOWEST, starts, np.diff(starts, append=len(line))], axis=-1)
    return notes[line[starts] != SILENT]


def write_midi(path, chorale, ticks=60):
    """Write a chorale as a MIDI file of one track, with `ticks` of time for an eighth."""
    events = []
    for channel, line in enumerate(chorale.T):
        for key, start, length in sounding(line).tolist():
            events += [(start * ticks, 0x90 + channel, key, 80), ((start + length) * ticks, 0x80 + channel, key, 0)]
    track, now = b"", 0
    for time, *event in sorted(events):
        delta, now = time - now, time
        track += bytes([*(0x80 | delta >> shift & 0x7F for shift in (14, 7)), delta & 0x7F, *event])
    track += bytes([0, 0xFF, 0x2F, 0])
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 2 * ticks)
    path.write_bytes(header + b"MTrk" + struct.pack(">I", len(track)) + track)
