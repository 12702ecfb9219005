"""Back-off by its definition, over the lines of an ARPA file: a dictionary of tuples, and recursion."""


class ReferenceBackoff:
    def __init__(self, path):
        self.log_prob, self.backoff = {}, {}
        for line in path.read_text(encoding="utf-8").splitlines():
            fields = line.split("\t")
            if len(fields) > 1:
                gram = tuple(fields[1].split(" "))
                self.log_prob[gram] = float(fields[0])
                self.backoff[gram] = float(fields[2]) if len(fields) > 2 else 0.0
        self.order = max(map(len, self.log_prob))

    def score(self, word, context):
        """(log10 P(word | context), length of the n-gram that gave it); the context is a tuple."""
        context = context[max(0, len(context) - self.order + 1) :]
        if (*context, word) in self.log_prob:
            return self.log_prob[(*context, word)], len(context) + 1
        log_prob, length = self.score(word, context[1:])
        return self.backoff.get(context, 0.0) + log_prob, length

    def sentence(self, tokens, bos=True, eos=True):
        """`score` of each token; unknown ones are `<unk>`."""
        known = [token if (token,) in self.log_prob else "<unk>" for token in tokens] + ["</s>"] * eos
        read = ["<s>"] if bos else []
        out = []
        for token in known:
            out.append(self.score(token, tuple(read)))
            read.append(token)
        return out
