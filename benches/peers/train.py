"""One training step in PyTorch: forward, backward and AdamW on 32 x 128 tokens.  train.py f32|bf16"""

import sys

import torch
from common import report, small, timed, tokens

model = small().train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
batch = tokens(32, 128, 4096)


def step():
    with torch.autocast("cpu", torch.bfloat16, enabled=sys.argv[1] == "bf16"):
        loss = model(batch, labels=batch).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


report(timed(step, 5, warm=2))
