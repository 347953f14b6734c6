# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_speech."""

from setuptools import find_packages, setup

PACKAGE = "vla_speech"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["py.typed", "**/*.md", "**/*.yaml", "**/*.json", "**/*.xml", "**/*.safetensors"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "safetensors", "torch"],
    extras_require={"test": ["pytest"]},  # by this colcon finds that the tests are pytest's
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.com",
    description="Speech to instructions: voice activity, halt word, wake phrase, grammar and free text.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "bench_voice = vla_speech.bench.command:main",
            "hear = vla_speech.hear:main",
            "speech_node = vla_speech.speech_node:main",
            "train_halt_word = vla_speech.halt_word.training.command:main",
        ],
    },
)
