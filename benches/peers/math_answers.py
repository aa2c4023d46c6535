"""Answers per second of Math-Verify on one core, over the same pairs as `benches/benches/verifiers.rs`.

    python math_answers.py

Needs `math-verify==0.9.0`. Every pair is asked once, as in training.
"""

import json
import pathlib
import sys
import time

from math_verify import parse, verify

PAIRS = pathlib.Path(__file__).resolve().parents[2] / "crates/equipoise-verifiers/tests/fixtures/math_pairs.jsonl"


def main():
    pairs = [json.loads(line) for line in PAIRS.read_text().strip().split("\n")]
    for name, kept in [
        ("short answers", [pair for pair in pairs if len(pair["answer"].encode()) <= 24]),
        ("all answers", pairs),
    ]:
        start = time.perf_counter()
        for pair in kept:
            try:
                verify(parse(f"${pair['gold']}$"), parse(pair["answer"]))
            except Exception:
                pass
        seconds = time.perf_counter() - start
        print(f"{name}: {len(kept) / seconds:.0f} per second ({len(kept)} pairs)")


if __name__ == "__main__":
    sys.exit(main())
