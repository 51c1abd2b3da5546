#' 21 -> 100 -> 100 -> 3 with ReLU, weights N(0, 0.1), biases 0; with `dropout` 0.2 of the inputs and
#' 0.5 of the hidden units are dropped in training.
nn_dropout_mlp <- nn_module(
  "nn_dropout_mlp",
  initialize = function(dropout = TRUE) {
    self$drop1 <- nn_dropout(if (dropout) 0.2 else 0)
    self$lin1 <- nn_linear(21, 100)
    self$drop2 <- nn_dropout(if (dropout) 0.5 else 0)
    self$lin2 <- nn_linear(100, 100)
    self$drop3 <- nn_dropout(if (dropout) 0.5 else 0)
    self$lin3 <- nn_linear(100, 3)
    for (layer in list(self$lin1, self$lin2, self$lin3)) {
      with_no_grad(nn_init_normal_(layer$weight, 0, 0.1))
      nn_init_constant_(layer$bias, 0)
    }
  },
  forward = function(x) {
    hidden <- nnf_relu(self$lin1(self$drop1(x)))
    hidden <- nnf_relu(self$lin2(self$drop2(hidden)))
    self$lin3(self$drop3(hidden))
  }
)
