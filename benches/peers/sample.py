"""Generation in transformers: 96 new tokens, sampled at temperature 1, for each of 32 prompts of 32 tokens."""

import torch
from common import report, small, timed, tokens

model = small().eval()
batch = tokens(32, 32, 4096)


@torch.no_grad()
def generate():
    mask = torch.ones_like(batch)
    out = model.generate(
        batch, attention_mask=mask, do_sample=True, top_k=0, top_p=1.0, min_new_tokens=96, max_new_tokens=96, pad_token_id=0
    )
    assert out.shape == (32, 128), out.shape


report(timed(generate, 3), tokens=32 * 96)
