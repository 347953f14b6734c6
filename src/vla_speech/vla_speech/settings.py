# SPDX-License-Identifier: Apache-2.0
"""Parameters of speech_node and options of `vla hear`: default, unit, range, meaning. All are read once, at start."""

from dataclasses import dataclass

from vla_core.settings import check_settings, setting

OFF, MICROPHONE, TOPIC = "off", "microphone", "topic"
RECOGNISERS = ("auto", "grammar", "whisper")


@dataclass(frozen=True, slots=True)
class HearingSettings:
    """What is understood, and when. Raises SettingsError for a value out of its range."""

    wake_phrase: str = setting("hey robot", "words that address the robot; empty: everything said is for it")
    grammar: str = setting("", "YAML file of what can be said; empty: the built-in one")
    halt_words: str = setting("", "YAML file of this site's halt words, beside the built-in ones; empty: none")
    recogniser: str = setting(
        "auto",
        "grammar: it alone; whisper: free text too; auto: whisper where it is installed",
        choices=RECOGNISERS,
    )
    sure: float = setting(0.5, "confidence from which a command is taken without a question", 0.0, 1.0)
    sure_free: float = setting(0.85, "the same for text that does not fit the grammar", 0.0, 1.0)
    unsure: float = setting(0.05, "confidence below which nothing is taken and nothing asked", 0.0, 1.0)
    stop_threshold: float = setting(0.85, "probability from which the halt word is taken for one", 0.05, 0.999)
    stop_weights: str = setting("", "stop.safetensors of `vla train halt-word`; empty: the built-in ones")
    pause: float = setting(0.6, "[s] of silence that ends an utterance", 0.2, 3.0)
    longest: float = setting(15.0, "[s] after which an utterance is ended", 2.0, 28.0)
    answer_time: float = setting(
        8.0, "[s] for an answer to a question, or for the command after the wake phrase", 1.0, 60.0
    )

    def __post_init__(self) -> None:
        """Check ranges and choices."""
        check_settings(self)


@dataclass(frozen=True, slots=True)
class SpeechSettings(HearingSettings):
    """Parameters of speech_node. Raises SettingsError for a value out of its range."""

    source: str = setting(TOPIC, "microphone, topic, or the path of a WAV file")
    device: str = setting("", "part of the microphone's name; empty: the system's default")
    speak: bool = setting(True, "whether questions are spoken too, where espeak-ng is installed")
    audio_topic: str = setting("vla/audio", "vla_msgs/AudioChunk in, for source topic")
    voice_topic: str = setting("voice_command", "std_msgs/String out: accepted commands, and stop")
    utterance_topic: str = setting("vla/utterance", "vla_msgs/Utterance out: all that is heard")
    question_topic: str = setting("vla/speech/question", "std_msgs/String out: questions")
    answer_topic: str = setting("vla/speech/answer", "std_msgs/Bool in: answers, true for yes")

    def __post_init__(self) -> None:
        """Check ranges and choices."""
        check_settings(self)
