"""Qwen2.5-0.5B's shape in PyTorch: log-probabilities of 8 x 512 tokens, or one LoRA training step on them.

large.py score|lora f32|bf16. In bf16 the frozen weights are bf16, and the adapter is trained under autocast.
"""

import sys

import torch
from common import half_billion, report, timed, tokens

work, precision = sys.argv[1:3]
model = half_billion()
if precision == "bf16":
    model = model.to(torch.bfloat16)
batch = tokens(8, 512, 151936)


@torch.no_grad()
def score():
    logits = model(batch).logits[:, :-1].float()
    logprobs = torch.log_softmax(logits, -1).gather(2, batch[:, 1:, None])
    assert torch.isfinite(logprobs).all()


if work == "score":
    model.eval()
    report(timed(score, 1, warm=1))
else:
    from peft import LoraConfig, get_peft_model

    modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=16, target_modules=modules, task_type="CAUSAL_LM")).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.data = parameter.data.float()
    optimizer = torch.optim.AdamW(trained, lr=1e-4)

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = model(batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    report(timed(step, 1, warm=1))
