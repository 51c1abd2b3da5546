# Each operation with its derivative. Operands have the same shape, or one is a single number.

# The value of an operator and the gradients by its left and right operand.
arithmetic <- list(
  `+` = list(
    value = function(a, b) a + b, left = function(g, a, b) g, right = function(g, a, b) g
  ),
  `-` = list(
    value = function(a, b) a - b, left = function(g, a, b) g, right = function(g, a, b) -g
  ),
  `*` = list(
    value = function(a, b) a * b, left = function(g, a, b) g * b, right = function(g, a, b) g * a
  ),
  `/` = list(
    value = function(a, b) a / b,
    left = function(g, a, b) g / b,
    right = function(g, a, b) -g * ((a / b) / b)
  ),
  `^` = list(
    value = function(a, b) a^b,
    left = function(g, a, b) g * (b * a^(b - 1)),
    right = function(g, a, b) g * (a^b * log(a))
  )
)

#' The operators of `arithmetic` on two tensors, or a tensor and a number; `==` gives 1 or 0.
Ops.torch_tensor <- function(e1, e2) {
  if (.Generic == "==") return(new_tensor(1 * (value_of(e1) == value_of(e2))))
  rule <- arithmetic[[.Generic]]
  if (is.null(rule) || missing(e2)) {
    stop("An operator of two basetorch tensors must be one of + - * / ^ ==; got ", .Generic, ".")
  }
  a <- value_of(e1)
  b <- value_of(e2)
  if (length(a) > 1 && length(b) > 1) check_same_shape(a, b)
  sides <- list(
    function(g) reduce_like(rule$left(g, a, b), a),
    function(g) reduce_like(rule$right(g, a, b), b)
  )
  followed <- c(is_torch_tensor(e1), is_torch_tensor(e2))
  sides <- sides[followed]
  record(rule$value(a, b), list(e1, e2)[followed], function(g) lapply(sides, function(f) f(g)))
}

#' Refuses arrays of different shapes, also where torch would recycle one.
check_same_shape <- function(a, b) {
  if (!identical(shape_of(a), shape_of(b))) {
    stop(
      "Tensors must have the same shape; got ", paste(shape_of(a), collapse = " x "), " and ",
      paste(shape_of(b), collapse = " x "), "."
    )
  }
}

#' The gradient by a single number that was used for all elements is the sum over them.
reduce_like <- function(gradient, value) {
  if (length(value) == 1 && length(gradient) > 1) sum(gradient) else gradient
}

sqrt.torch_tensor <- function(x) {
  root <- sqrt(x[["value"]])
  record(root, list(x), function(g) list(g / (2 * root)))
}

nnf_relu <- function(input) {
  value <- input[["value"]]
  # NaN compares as NA, is not assigned to, and stays, in the value as in the gradient.
  off <- value <= 0
  value[off] <- 0
  record(value, list(input), function(g) {
    g[off] <- 0
    list(g)
  })
}

sigmoid <- function(input) {
  value <- 1 / (1 + exp(-input[["value"]]))
  record(value, list(input), function(g) list(g * value * (1 - value)))
}

nnf_linear <- function(input, weight, bias) {
  x <- input[["value"]]
  w <- weight[["value"]]
  value <- tcrossprod(x, w) + rep(bias[["value"]], each = nrow(x))
  record(value, list(input, weight, bias), function(g) {
    list(if (input[["requires_grad"]]) g %*% w, crossprod(g, x), colSums(g))
  })
}

#' The mean of `loss(input - target)`, whose derivative is `slope`.
mean_loss <- function(input, target, loss, slope) {
  check_same_shape(input[["value"]], target[["value"]])
  difference <- input[["value"]] - target[["value"]]
  n <- length(difference)
  record(sum(loss(difference)) / n, list(input, target), function(g) {
    by_input <- g / n * slope(difference)
    list(by_input, -by_input)
  })
}

nnf_mse_loss <- function(input, target) {
  mean_loss(input, target, function(d) d^2, function(d) 2 * d)
}

nnf_l1_loss <- function(input, target) mean_loss(input, target, abs, sign)

nnf_smooth_l1_loss <- function(input, target) {
  mean_loss(
    input, target,
    function(d) ifelse(abs(d) < 1, 0.5 * d^2, abs(d) - 0.5),
    function(d) ifelse(abs(d) < 1, d, sign(d))
  )
}

#' The mean of -log softmax(input) at the classes `target`, counted from 1, one for each row.
nnf_cross_entropy <- function(input, target) {
  scores <- input[["value"]]
  right <- cbind(seq_len(nrow(scores)), target[["value"]])
  above <- exp(scores - apply(scores, 1, max))
  shares <- above / rowSums(above)
  logs <- scores - apply(scores, 1, max) - log(rowSums(above))
  record(-sum(logs[right]) / nrow(scores), list(input), function(g) {
    shares[right] <- shares[right] - 1
    list(g / nrow(scores) * shares)
  })
}
