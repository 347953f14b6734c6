# SPDX-License-Identifier: Apache-2.0
"""The node speech_node: sound in; voice commands, utterances and questions out."""

from __future__ import annotations

import math
import threading
import time
import uuid
from pathlib import Path
from typing import ClassVar

import numpy as np
from rclpy.qos import QoSProfile
from std_msgs.msg import Bool, String
from vla_core.health import Health
from vla_core.ros.diagnostics import DiagnosticsPublisher
from vla_core.ros.managed import ManagedNode
from vla_core.ros.parameters import declare_settings

from vla_msgs.msg import AudioChunk, Utterance
from vla_speech.errors import MissingSpeechError, SoundError
from vla_speech.health import SpeechHealth
from vla_speech.heard import Heard, State
from vla_speech.listener import Listener
from vla_speech.settings import MICROPHONE, TOPIC, SpeechSettings
from vla_speech.sound import SAMPLE_RATE, Converter, Samples
from vla_speech.sources.file import FileSource
from vla_speech.sources.microphone import MicrophoneSource
from vla_speech.sources.source import Source
from vla_speech.voice import Voice

_SOUND = QoSProfile(depth=50)
_LONGEST_CHUNK = 1.0  # [s]


class SpeechNode(ManagedNode):
    """Sound is served at once; what it means comes from the listener's thread."""

    UNUSABLE: ClassVar[tuple[type[Exception], ...]] = (*ManagedNode.UNUSABLE, MissingSpeechError, SoundError)

    def __init__(self) -> None:
        super().__init__("speech_node")
        self._settings = declare_settings(self, SpeechSettings)

    def configure(self) -> None:
        """Load the models and open the source."""
        settings = self._settings
        self._lock = threading.Lock()  # two threads report
        self._run, self._arrived = uuid.uuid4().hex[:8], 0.0
        self._converter, self._format = Converter(SAMPLE_RATE, 1), (SAMPLE_RATE, 1)
        self._health = SpeechHealth(settings.source)
        self._voice = Voice(settings.speak)
        self.releases.callback(self._voice.stop)
        self._commands = self.create_publisher(String, settings.voice_topic, 10)
        self._utterances = self.create_publisher(Utterance, settings.utterance_topic, 50)
        self._questions = self.create_publisher(String, settings.question_topic, 10)
        self._listener = Listener(settings, self._report, threaded=True)
        self.releases.callback(self._listener.close)
        self._source = self._open(settings)
        if self._source is None:
            self.create_subscription(AudioChunk, settings.audio_topic, self._on_audio, _SOUND)
        self.create_subscription(Bool, settings.answer_topic, self._on_answer, 10)
        self._diagnostics = DiagnosticsPublisher(self, {"speech": self._assess})
        free = "grammar and free text" if self._listener.hears_free_text else "grammar alone; Whisper is not installed"
        self.get_logger().info(f"hearing English from {settings.source} ({free}); voice: {self._voice.available}")

    def activate(self) -> None:
        """Begin to listen."""
        if self._source is not None:
            self._source.start()

    def deactivate(self) -> None:
        """Listen no more; a source restarts with the next activation."""
        if self._source is not None:
            self._source.close()
            self._source = self._open(self._settings)

    def _open(self, settings: SpeechSettings) -> Source | None:
        if settings.source == TOPIC:
            return None
        if settings.source == MICROPHONE:
            return MicrophoneSource(settings.device, self._hear)
        return FileSource(Path(settings.source).expanduser(), self._hear)

    def _on_audio(self, chunk: AudioChunk) -> None:
        if not self.active:
            return
        samples = np.frombuffer(chunk.samples, np.int16)
        try:
            received = (int(chunk.sample_rate), int(chunk.channels))
            if len(samples) > _LONGEST_CHUNK * max(received[0] * received[1], 1):
                raise SoundError(f"a chunk of {len(samples)} samples; valid: at most {_LONGEST_CHUNK:g} s")
            if received != self._format:
                self._converter, self._format = Converter(*received), received
            sound = self._converter.push(samples)
        except SoundError as error:
            self._health.note_refused(str(error))
            return
        self._hear(sound, chunk.push_to_talk)

    def _hear(self, sound: Samples, push_to_talk: bool = False) -> None:
        self._health.note_sound(sound, time.monotonic())
        self._arrived = time.monotonic()
        self._listener.hear(sound, push_to_talk)

    def _on_answer(self, answer: Bool) -> None:
        self._listener.answer(bool(answer.data))

    def _report(self, heard: Heard) -> None:
        """Publish a report; called from the thread of the sound and from that of the listener."""
        echo = self._voice.speaking and heard.state is not State.STOP
        if echo and heard.state is not State.INTERIM:
            heard = Heard(State.IGNORED, heard.text, heard.recogniser, confidence=heard.confidence, reason="own voice")
        with self._lock:
            if heard.published and self.active:
                self._commands.publish(String(data=heard.published))
            self._utterances.publish(self._message(heard))
            if heard.question:
                self._questions.publish(String(data=heard.question))
        self._health.note(heard)
        if heard.state is State.STOP:
            self._voice.stop()
        elif heard.question:
            self._voice.say(heard.question)
        if heard.state not in (State.INTERIM, State.IGNORED):
            self.get_logger().info(
                f"{heard.state.name.lower()}: {heard.text!r} {heard.question or heard.reason}".strip()
            )

    def _message(self, heard: Heard) -> Utterance:
        age = time.monotonic() - self._arrived + self._listener.time - heard.end
        message = Utterance(
            id=f"{self._run}-{heard.utterance}",
            state=int(heard.state),
            recogniser=int(heard.recogniser),
            text=heard.text,
            instruction=heard.instruction,
            confidence=heard.confidence,
            language="en",
            question=heard.question,
            reason=heard.reason,
            duration=heard.duration,
            latency=math.nan if heard.state is State.INTERIM else age,
        )
        message.header.stamp = self.get_clock().now().to_msg()
        return message

    def _assess(self) -> Health:
        trouble = self._source.trouble if self._source is not None else ""
        return self._health.report(time.monotonic(), trouble)
