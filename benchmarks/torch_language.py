"""The PyTorch rival of `benchmarks.language`, in a process of its own: the two frameworks' LLVMs do not share one.

Reads the case as a line of JSON, then makes one update for every further line that it is sent and answers with a line.
"""

import json
import sys

import torch


def main():
    case = json.loads(sys.stdin.readline())
    V, B, T, H = (case[key] for key in ("vocabulary", "batch_size", "length", "units"))
    embedding, lstm, output = torch.nn.Embedding(V + 1, H), torch.nn.LSTM(H, H), torch.nn.Linear(H, V + 1)
    parameters = torch.nn.ModuleList([embedding, lstm, output]).parameters()
    optimizer = getattr(torch.optim, case["optimizer"])(parameters, lr=case["rate"])
    tokens = torch.randint(1, V + 1, (T + 1, B))
    state = torch.zeros(1, B, H), torch.zeros(1, B, H)
    for _ in sys.stdin:
        optimizer.zero_grad()
        h, new = lstm(embedding(tokens[:-1]), state)
        loss = torch.nn.functional.cross_entropy(output(h).reshape(B * T, V + 1), tokens[1:].reshape(-1))
        loss.backward()
        optimizer.step()
        state = tuple(part.detach() for part in new)
        print(loss.item(), flush=True)


if __name__ == "__main__":
    main()
