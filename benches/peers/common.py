"""What the measurements of the peers share: the models, the clock, and one line of JSON at the end."""

import json
import os
import resource
import statistics
import time

THREADS = int(os.environ.get("EQUIPOISE_BENCH_THREADS", "2"))

import torch  # noqa: E402
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM  # noqa: E402

torch.set_num_threads(THREADS)


def small(vocab_size=4096, hidden=256, layers=8, head_dim=64, inner=768):
    """The Qwen3-shaped model of the small measurements: 7.3 million parameters."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=vocab_size,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=head_dim,
        intermediate_size=inner,
        tie_word_embeddings=True,
        max_position_embeddings=256,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        bos_token_id=None,
        eos_token_id=None,
    )
    return Qwen3ForCausalLM(config)


def half_billion():
    """Qwen2.5-0.5B's shape, with random weights."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=151936,
        hidden_size=896,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        intermediate_size=4864,
        tie_word_embeddings=True,
        max_position_embeddings=1024,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        bos_token_id=None,
        eos_token_id=None,
    )
    return Qwen2ForCausalLM(config)


def tokens(rows, length, vocabulary):
    return torch.tensor([[(i * 131 + j * 17) % vocabulary for j in range(length)] for i in range(rows)])


def timed(work, repetitions, warm=1):
    """Seconds of each repetition, after some that do not count."""
    for _ in range(warm):
        work()
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def report(seconds, **more):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    times = {"seconds": statistics.median(seconds), "fastest": min(seconds)}
    print(json.dumps({**times, "peak_bytes": peak, "threads": THREADS, **more}))
