"""Batched transport against a loop of ot.sinkhorn over recordings, forward and backward.

The transported tokens are summed and differentiated with respect to both views, in float32. The
loop solves one recording at a time with POT's ot.sinkhorn on torch tensors: with its default
settings, as a user would write it (it seeks an error of 1e-9, which float32 never shows, and does
all of its 1000 iterations), and with as many iterations as the batch does. Then what the number of
iterations that is the default loses against a thousand in float64, in the plan and in the gradient,
by each way to the gradient.

    python benchmarks/bench_transport.py
"""

from __future__ import annotations

import argparse
import time
from itertools import product

import ot
import pandas as pd
import torch
from _figures import figure, finish, ratio

from sfmforensics.nn.transport import transport_cost, transport_plan

CASES = {"8 x 8 tokens of 64": (8, 8), "256 x 128 tokens of 64": (256, 128)}
REG = 0.1


def batched(x1, x2, iterations, reg=REG, grad="implicit"):
    plan = transport_plan(transport_cost(x1, x2), reg, iterations, grad)
    return plan, (plan @ x2).sum() + (plan.mT @ x1).sum()


def loop(x1, x2, iterations):
    options = {"numItermax": iterations, "stopThr": 0} if iterations else {}
    plans, total = [], 0.0
    for a, b in zip(x1, x2, strict=True):
        distance = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
        cost = distance / distance.max()
        weights = [torch.full((len(x),), 1 / len(x)) for x in (a, b)]
        plan = ot.sinkhorn(*weights, cost, REG, warn=False, **options)
        plans.append(plan)
        total = total + (plan @ b).sum() + (plan.mT @ a).sum()
    return torch.stack(plans), total


def seconds(function, x1, x2, iterations):
    x1, x2 = x1.clone().requires_grad_(), x2.clone().requires_grad_()
    start = time.perf_counter()
    plan, total = function(x1, x2, iterations)
    total.backward()
    return plan.detach(), time.perf_counter() - start


def compare(name, lengths, options):
    """Figures of one size, the three ways in turn."""
    torch.manual_seed(0)
    x1, x2 = (torch.randn(options.batch, length, 64) for length in lengths)
    rows = []
    for number in range(options.rounds + 1):
        ours, fast = seconds(batched, x1, x2, options.iterations)
        theirs, slow = seconds(loop, x1, x2, options.iterations)
        rows.append({"ours": fast, "as many": slow})
        if number in (1, 2, 3):
            rows[-1]["default"] = seconds(loop, x1, x2, None)[1]
    times = pd.DataFrame(rows[1:])  # the first warms up
    few = times.dropna()
    return [
        figure(f"{name}: a batch of {options.batch}", 1e3 * times["ours"], "ms"),
        ratio(f"{name}: ours / loop of as many iterations", times["ours"], times["as many"]),
        ratio(f"{name}: ours / loop as POT has it by default", few["ours"], few["default"]),
        figure(f"{name}: plans differ by at most", [(ours - theirs).abs().max().item()], ""),
    ]


def converged(case, lengths, reg, options):
    """Errors of the default iterations, and what each way to the gradient takes."""
    torch.manual_seed(0)
    x1, x2 = (torch.randn(options.batch, length, 64) for length in lengths)
    exact = [x.double().requires_grad_() for x in (x1, x2)]
    plan, total = batched(*exact, 1000, reg)
    total.backward()
    name, figures, times = f"{case}, reg {reg}", [], {}
    for grad in ("implicit", "autodiff", "last_step"):
        times[grad] = []
        for _ in range(options.rounds):
            inputs = [x.clone().requires_grad_() for x in (x1, x2)]
            start = time.perf_counter()
            found, total = batched(*inputs, "auto", reg, grad)
            total.backward()
            times[grad].append(time.perf_counter() - start)
        if not figures:
            error = (found.double() - plan).abs().max() / plan.max()
            figures.append(figure(f"{name}: error of a plan", [error.item()], "of max"))
        error = (inputs[0].grad.double() - exact[0].grad).norm() / exact[0].grad.norm()
        figures.append(figure(f"{name}: {grad}, error of a gradient", [error.item()], "of norm"))
    figures += [
        ratio(f"{name}: implicit / {grad}", times["implicit"], times[grad])
        for grad in ("autodiff", "last_step")
    ]
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1, help="as in the estimators")
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    figures = [row for case in CASES.items() for row in compare(*case, options)]
    for (name, lengths), reg in product(CASES.items(), (REG, 0.02)):
        figures += converged(name, lengths, reg, options)
    finish(figures, options.json)


if __name__ == "__main__":
    main()
