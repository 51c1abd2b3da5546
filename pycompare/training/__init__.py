"""One network and its training: layers, losses, optimizers, batches, the loop, and the engines that do the work."""
