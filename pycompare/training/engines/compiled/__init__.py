"""Whole epochs in machine code, by the functions that PyTorch's own operations call: `trainer.Compiled`.

`trainer` holds a training, `tables` describes it to the kernel, `products` says how ATen would call BLAS. The kernel is
`epoch`, made of `sums`, `activations`, `losses`, `steps`, `roots` and `narrow`; numba compiles it,
`machine_code` keeps it on disk, and `linking` brings it into memory.
`torch_calls` and `torch_symbols` are its way to PyTorch's library, `codes` the numbers that both sides know, and
`agreement` tries whether the bits come out, `own_products` those of products that BLAS need not compute.
"""
