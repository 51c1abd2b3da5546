#' One step of gradient descent with momentum on the Rosenbrock function: changes `x`, `y` and their
#' momenta in place, adds to the gradients, and returns the value before the step.
optim_step <- function(x, y, lr, x_momentum, y_momentum, beta) {
  value <- rosenbrock(x, y)
  value$backward()
  with_no_grad({
    # R torch rounds a scalar on the left of a double tensor to float32, one in `$mul_()` not.
    x_momentum$mul_(beta)
    x_momentum$add_((1 - beta) * x$grad)
    y_momentum$mul_(beta)
    y_momentum$add_((1 - beta) * y$grad)
    x$sub_(lr * x_momentum)
    y$sub_(lr * y_momentum)
  })
  value$item()
}
