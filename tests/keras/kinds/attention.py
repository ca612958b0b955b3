"""The rows of the table in cases.py that are attention layers."""

from kinds.layer import attention


def heads(arguments=None, x=None, **more):
    return attention("MultiHeadAttention", dict(num_heads=2, key_dim=3) | (arguments or {}), x=x, apart=True, **more)


THREE = [(3, 4, 6), (3, 5, 7), (3, 5, 8)]
GRID = [(2, 3, 4, 5), (2, 3, 6, 5)]


def groups(arguments=None, x=None, **more):
    made = dict(head_dim=3, num_query_heads=4, num_key_value_heads=2) | (arguments or {})
    return attention("GroupQueryAttention", made, x=x, apart=True, **more)


ATTENTION = [
    attention("Attention"),
    attention("Attention", dict(use_scale=True), x=[(3, 4, 6), (3, 5, 7), (3, 5, 6)]),
    attention("Attention", dict(score_mode="concat")),
    attention("Attention", dict(score_mode="concat", use_scale=True), mask=True),
    attention("Attention", mask=True),
    attention("Attention", use_causal_mask=True),
    attention("Attention", dict(use_scale=True), mask=True, use_causal_mask=True, return_attention_scores=True),
    attention("AdditiveAttention"),
    attention("AdditiveAttention", dict(use_scale=False), mask=True),
    attention("AdditiveAttention", x=[(3, 4, 6), (3, 5, 7), (3, 5, 6)], use_causal_mask=True,
              return_attention_scores=True),
    heads(),
    heads(x=THREE),
    heads(dict(value_dim=5, use_bias=False), return_attention_scores=True),
    heads(dict(output_shape=9)),
    heads(dict(output_shape=[2, 3])),
    heads(dict(use_gate=True, value_dim=4), x=THREE, return_attention_scores=True),
    heads(dict(use_gate=True)),
    heads(use_causal_mask=True),
    heads(use_causal_mask=True, return_attention_scores=True),
    heads(attention_mask=(3, 4, 5)),
    heads(attention_mask=(3, 2, 4, 5), return_attention_scores=True),
    heads(value_mask=(3, 5), key_mask=(3, 5), return_attention_scores=True),
    heads(dict(sliding_window=2), [(3, 6, 5), (3, 6, 5)]),
    heads(dict(sliding_window=3), [(3, 6, 5), (3, 6, 5)], use_causal_mask=True, attention_mask=(3, 6, 6)),
    heads(dict(num_heads=1, key_dim=2), return_attention_scores=True),
    heads(dict(attention_axes=2), GRID),
    heads(dict(attention_axes=[2]), GRID, return_attention_scores=True),
    heads(dict(attention_axes=[1, 2]), [(2, 3, 4, 5), (2, 2, 3, 5)]),
    heads(dict(num_heads=1), [(2, 3, 4, 5), (2, 2, 3, 5)], return_attention_scores=True),
    groups(),
    groups(dict(num_key_value_heads=1, use_bias=False), use_causal_mask=True),
    groups(dict(use_gate=True, sliding_window=2), value_mask=(3, 5), attention_mask=(3, 4, 5),
           return_attention_scores=True),
]
