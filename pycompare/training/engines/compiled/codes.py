"""The tables and numbers by which a training tells the kernel what to compute."""

from __future__ import annotations

# What a call of the kernel does with a batch: only its loss, its gradients, a step from these, or both; or instead of
# all that square roots of the gradients' buffer, or a product of it.
VALIDATE, GRADIENTS, STEP, TRAIN, ROOTS, NARROW = 0, 1, 2, 3, 4, 5
# Columns of the table of operations; offsets count numbers, -1 stands for the batch's inputs, or for no bias.
OP_KIND, OP_WIDTH, OP_INPUT, OP_OUTPUT, OP_WEIGHT, OP_BIAS, OP_LINEAR = range(7)
OP_COLUMNS = 7
LINEAR, RELU, TANH, SIGMOID, LEAKY_RELU, GELU, GELU_TANH = range(7)
# Columns of the table of batches: addresses of inputs and targets, rows, where the table of products starts, and the
# loss: for classes, training and validation targets may be of two kinds.
BATCH_INPUTS, BATCH_TARGETS, BATCH_ROWS, BATCH_PRODUCTS, BATCH_LOSS = range(5)
BATCH_COLUMNS = 5
# The three products of a layer, each a row of the table of products, where the batch's row and the layer's place among
# the linear ones say where they start. Its columns: six numbers for BLAS as int32, in three, and flags: bits 0 and 1
# transpose the operands, bit 2 exchanges them, and bit 3 is for gradients that the kernel computes itself.
FORWARD, WEIGHT_GRADIENT, INPUT_GRADIENT = range(3)
PRODUCT_FLAGS, PRODUCT_COLUMNS = 3, 4
EXCHANGED, OWN = 4, 8
MSE, L1, HUBER, BCE, CLASSES, PROBABILITIES = range(6)
ADAM, ADAMW, RMSPROP, SGD = range(4)
# Columns of the optimizer's settings, a row for each batch.
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY, SECOND, EPSILON, VARIANT, SIGN, ROOT = range(8)
SETTING_COLUMNS = 8
# Who takes square roots: MKL, or `roots` without or with fused operations.
LIBRARY, UNFUSED, FUSED = range(3)
