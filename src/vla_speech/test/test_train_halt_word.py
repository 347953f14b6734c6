# SPDX-License-Identifier: Apache-2.0
"""Training of the halt word's head: the same data twice, labels in time, a loss that falls, clear refusals."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy.io import wavfile
from vla_core.settings import SettingsError
from vla_speech.errors import MissingSpeechError, SoundError
from vla_speech.halt_word.spotter import HOP, LATEST, WEIGHTS, head, probabilities, read_weights
from vla_speech.halt_word.training import command, speakers
from vla_speech.halt_word.training.card import card
from vla_speech.halt_word.training.clips import Clip, Part, Recipe, Studio, site_noise
from vla_speech.halt_word.training.figures import at_default, measure
from vla_speech.halt_word.training.sentences import HALT_WORD, Sentences
from vla_speech.halt_word.training.speakers import Speakers
from vla_speech.halt_word.training.trainer import HeadTrainer, TrainSettings
from vla_speech.halt_word.training.windows import NO, SOMEWHERE, YES, windows_of
from vla_speech.sound import SAMPLE_RATE

TALK = Sentences(["talk", "shop"], ["table"], ["top"], ["lift the block"], ["please"], ["now"], ["stop"])
PEOPLE = (Speakers(["en"], ["a", "b"], ["slt"], True), Speakers(["en"], ["m7"], ["awb"], False))


def say(voice, text, words_per_minute, pitch):
    """A tone for each voice and text, so that no program is needed."""
    rng = np.random.default_rng(list(f"{voice}{text}".encode()))
    time = np.arange(round(len(text) * 900)) / SAMPLE_RATE
    return np.rint(8000 * np.sin(2 * np.pi * rng.uniform(100, 2000) * time + pitch)).astype(np.int16)


class MeanEmbedding:
    """Stands for Google's networks, which need a wheel: loudness of each mel frame."""

    def mel(self, sound):
        frames = (len(sound) - 480) // 160
        power = np.log1p(np.square(sound[: frames * 160]).reshape(frames, 160).mean(axis=1))
        return np.repeat(power[:, None], 32, axis=1).astype(np.float32)

    def embed(self, windows):
        return np.repeat(windows.mean(axis=(1, 2))[:, None], 96, axis=1)


def studio(seed=5, **changes):
    return Studio(replace(Recipe(seed), **changes), MeanEmbedding(), TALK, PEOPLE, say)


def made_clips(count, rng):
    """Clips whose embeddings say plainly whether the halt word just ended."""
    clips = []
    for number in range(count):
        halt, end = number % 2 == 0, 3 * SAMPLE_RATE
        embeddings = rng.normal(size=(40, 96)).astype(np.float32)
        if halt:
            at = (end - 480) // HOP - 9
            embeddings[at : at + LATEST + 2] += 3.0
        clips.append(Clip(embeddings, "", "", halt, number % 4 == 0, end))
    return clips


def test_a_seed_gives_the_same_clips_in_any_order_and_another_seed_others():
    first, second = studio(), studio()
    backwards = {number: second.clip(Part.TRAIN, number) for number in reversed(range(4))}
    for number, again in backwards.items():
        clip = first.clip(Part.TRAIN, number)
        assert (clip.text, clip.voice, clip.end) == (again.text, again.voice, again.end)
        np.testing.assert_array_equal(clip.embeddings, again.embeddings)
    other = studio(seed=6).clip(Part.TRAIN, 0)
    assert not np.array_equal(other.embeddings, backwards[0].embeddings)


def test_voices_kept_back_take_no_part_in_the_training():
    room = studio()
    voices = {part: {room.clip(part, number).voice for number in range(10)} for part in Part}
    assert voices[Part.KEPT_VOICES] <= {"espeak-ng:en+m7", "flite:awb"}
    assert not voices[Part.KEPT_VOICES] & (voices[Part.TRAIN] | voices[Part.KEPT_CLIPS])


def test_sentences_say_whether_the_halt_word_is_in_them():
    rng = np.random.default_rng(0)
    drawn = [TALK.draw(rng) for _ in range(300)]
    assert all(re.search(rf"\b{HALT_WORD}\b", sentence.text) for sentence in drawn if sentence.halt)
    assert not any(HALT_WORD in sentence.text for sentence in drawn if not sentence.halt)
    assert all(sentence.text.endswith(HALT_WORD) == sentence.final for sentence in drawn)
    assert 0.3 < np.mean([sentence.halt for sentence in drawn]) < 0.5


def test_labels_are_yes_right_after_the_word_and_no_before_it():
    clips = made_clips(8, np.random.default_rng(0))
    windows = windows_of(clips)
    assert set(windows.labels[windows.clips == 1]) == {NO}
    assert set(windows.labels[windows.clips == 2]) == {SOMEWHERE}
    until = (np.arange(40)[LATEST - 1 :] * HOP + 76 * 160 + 480) / SAMPLE_RATE - 3.0  # [s] after the word
    labels = windows.labels[windows.clips == 0]
    assert np.all((until[labels == YES] > -0.05) & (until[labels == YES] < 0.3))
    assert np.all(until[labels == NO] < -0.4)
    assert np.sum(labels == YES) >= 3
    guess = np.random.default_rng(1).random(len(windows.labels)).astype(np.float32)
    best = windows.with_best(guess)
    for number in (2, 6):  # the likeliest of the clip, and the one after it
        own = np.flatnonzero(windows.clips == number)
        assert best[own[np.argmax(guess[own])]] == YES
        assert 1 <= np.sum(best[own] == YES) <= 2


def test_ten_steps_lower_the_loss_and_the_course_learns_what_is_plain():
    clips = made_clips(40, np.random.default_rng(0))
    windows = windows_of(clips)
    trainer = HeadTrainer(windows, seed=1)
    batch = np.flatnonzero(windows.labels >= 0)
    losses = [trainer.step(batch, windows.labels[batch]) for _ in range(11)]
    assert losses[-1] < 0.8 * losses[0]
    course = TrainSettings(batch=256, epochs=4, rounds=1, round_epochs=1)
    weights = HeadTrainer(windows, 1, course).run(lambda _: None)
    figures = measure(weights, made_clips(40, np.random.default_rng(9)))
    assert figures["separation"] > 0.95
    again = HeadTrainer(windows, 1, course).run(lambda _: None)
    np.testing.assert_allclose(again["weight0"], weights["weight0"], atol=1e-6)


def test_figures_count_clips_by_their_likeliest_window():
    clips = made_clips(40, np.random.default_rng(3))
    always = {name: np.zeros_like(value) for name, value in read_weights(WEIGHTS).items()}
    always["scale"] += 1.0
    always["bias2"] += 9.0
    figures = measure(always, clips)
    assert (at_default(figures)["recall"], at_default(figures)["false"]) == (1.0, 1.0)
    assert figures["separation"] == 0.5
    assert (figures["halt"], figures["other"]) == (20, 20)


def test_many_windows_get_the_same_answer_as_one_by_one():
    windows = np.random.default_rng(2).normal(size=(5, LATEST * 96)).astype(np.float32) * 20
    weights = read_weights(WEIGHTS)
    single = [head(weights, window.reshape(LATEST, 96)) for window in windows]
    np.testing.assert_allclose(probabilities(weights, windows), single, rtol=1e-4)


def test_the_card_has_command_seed_and_figures_of_both_heads():
    clips = made_clips(12, np.random.default_rng(3))
    measured = measure(read_weights(WEIGHTS), clips)
    parts = {"kept_clips": measured, "kept_voices": measured}
    names = ("date", "minutes", "cores", "clips", "hours", "halt", "variants", "noise", "programs")
    lists = {"accents": ["en-us"], "flite": ["slt"], "kept_voices": ["m7"], "hidden": [96, 32]}
    facts = {**dict.fromkeys(names, "?"), **lists, "seed": 7, "command": "./vla train halt-word --seed 7"}
    text = card(facts, {"trained": parts, "shipped": parts})
    assert "`./vla train halt-word --seed 7`" in text
    assert text.count("| the one that ships |") == text.count("| this head |") == 2 * len(measured["thresholds"])
    assert json.dumps(measured)


@pytest.mark.parametrize("words", [["--clips", "3"], ["--clips", "many"], ["--seed", "-1"], ["--workers", "0"]])
def test_numbers_out_of_range_are_refused_with_what_is_valid(words, tmp_path, capsys):
    with pytest.raises(SystemExit) as refused:
        command.main(["--out", str(tmp_path / "new"), *words])
    assert refused.value.code == 2
    assert "valid: a whole number" in capsys.readouterr().err


def test_a_folder_with_something_in_it_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "stop.safetensors").write_bytes(b"kept")
    assert command.main(["--out", str(tmp_path)]) == 2
    assert "new or empty folder" in capsys.readouterr().err
    assert (tmp_path / "stop.safetensors").read_bytes() == b"kept"


def test_absent_voices_are_named_with_the_command_that_installs_them(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(speakers, "available", lambda voice: voice.engine != "flite")
    assert command.main(["--out", str(tmp_path / "new")]) == 1
    assert "flite not installed; apt-get install espeak-ng flite" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(not (shutil.which("espeak-ng") and shutil.which("flite")), reason="needs espeak-ng and flite")
def test_the_voices_installed_and_an_accent_that_is_not():
    train, kept = speakers.load_speakers()
    assert not set(train.variants) & set(kept.variants)
    assert {"m7", "f5"} <= set(kept.variants)
    with pytest.raises(MissingSpeechError, match=r"no accent en-xx; valid: .*en-us"):
        speakers.load_speakers(["en-xx"])


def test_noise_of_the_site_is_checked_and_its_end_kept_back(tmp_path):
    with pytest.raises(SoundError, match=r"holds no \*\.wav"):
        site_noise(tmp_path)
    noise = np.random.default_rng(0).normal(size=10 * SAMPLE_RATE) * 900
    wavfile.write(tmp_path / "short.wav", SAMPLE_RATE, noise[:SAMPLE_RATE].astype(np.int16))
    with pytest.raises(SoundError, match=r"1\.0 s, or silent; valid: 5 s"):
        site_noise(tmp_path)
    (tmp_path / "short.wav").unlink()
    clips = {}
    for end in (1.0, -1.0):
        noise[8 * SAMPLE_RATE :] *= end  # only what is kept back changes
        wavfile.write(tmp_path / "hall.wav", SAMPLE_RATE, (noise + 100).astype(np.int16))
        room = studio(noise=tmp_path)
        clips[end] = {part: [room.clip(part, n).embeddings for n in range(4)] for part in (Part.TRAIN, Part.KEPT_CLIPS)}
    before, after = clips[1.0], clips[-1.0]
    same = {part: [np.array_equal(before[part][n], after[part][n]) for n in range(4)] for part in before}
    assert all(same[Part.TRAIN])
    assert not all(same[Part.KEPT_CLIPS])
    plain = studio()
    assert not all(np.array_equal(plain.clip(Part.TRAIN, n).embeddings, before[Part.TRAIN][n]) for n in range(4))


def test_weights_of_another_form_are_refused(tmp_path):
    path = tmp_path / "stop.safetensors"
    with pytest.raises(SettingsError, match="vla train halt-word"):
        read_weights(path)
    path.write_bytes(b"no weights")
    with pytest.raises(SettingsError, match=r"valid: stop\.safetensors"):
        read_weights(path)


def test_clips_without_the_halt_word_are_no_training_set():
    clips = [clip for clip in made_clips(6, np.random.default_rng(0)) if not clip.halt]
    with pytest.raises(SoundError, match="some with the halt word and some without"):
        windows_of(clips)
