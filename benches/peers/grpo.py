"""Whole GRPO steps in TRL: 256 completions of at most 32 tokens, a reward that costs nothing, and an update."""

import statistics
import tempfile
import time

import torch
from common import report, small
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers, decoders
from transformers import PreTrainedTokenizerFast, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

ALPHABET = "0123456789+-=<>/thinkabcdefgjlmopqrsuvwx"  # 40 tokens with the two below
vocabulary = {"<eos>": 0, "<pad>": 1}
for character in ALPHABET[:38]:
    vocabulary.setdefault(character, len(vocabulary))
inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
inner.decoder = decoders.Fuse()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>", pad_token="<pad>", padding_side="left")

model = small(vocab_size=40, hidden=128, layers=4, head_dim=32, inner=384)
model.config.eos_token_id = model.generation_config.eos_token_id = 0
model.config.pad_token_id = model.generation_config.pad_token_id = 1


class Clock(TrainerCallback):
    def __init__(self):
        self.ends = []

    def on_step_end(self, *_, **__):
        self.ends.append(time.perf_counter())


lengths = []


def reward(completions, completion_ids, **_):
    lengths.extend(len(ids) for ids in completion_ids)
    return [float(text.count("1")) for text in completions]


clock = Clock()
prompts = [f"{i % 49}+{(i * 7) % 49}-{(i * 3) % 49}=" for i in range(512)]
with tempfile.TemporaryDirectory() as directory:
    config = GRPOConfig(
        output_dir=directory,
        use_cpu=True,
        bf16=False,
        per_device_train_batch_size=256,
        gradient_accumulation_steps=1,
        num_generations=8,
        max_completion_length=32,
        beta=0.0,
        temperature=1.0,
        learning_rate=1e-7,  # so that the completions stay as long as chance makes them
        max_steps=10,
        save_strategy="no",
        report_to=[],
        logging_strategy="no",
        disable_tqdm=True,
        gradient_checkpointing=False,
    )
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=config,
        train_dataset=Dataset.from_dict({"prompt": prompts}),
        processing_class=tokenizer,
        callbacks=[clock],
    )
    trainer.train()
seconds = [b - a for a, b in zip(clock.ends, clock.ends[1:])][2:]
report(seconds, tokens=statistics.mean(lengths) * 256)
