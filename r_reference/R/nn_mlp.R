#' The course's network: two hidden layers of 50 units with ReLU and one output.
nn_mlp <- nn_module(
  "nn_mlp",
  initialize = function(in_features = 4) {
    self$lin1 <- nn_linear(in_features, 50)
    self$lin2 <- nn_linear(50, 50)
    self$lin3 <- nn_linear(50, 1)
  },
  forward = function(x) {
    hidden <- nnf_relu(self$lin1(x))
    hidden <- nnf_relu(self$lin2(hidden))
    self$lin3(hidden)
  }
)
