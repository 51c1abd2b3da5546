# LibTorch's optimisers, in its order of operations. A rule takes a parameter's value `p`, its
# gradient `g`, its `state` (an environment, `t` counting from 1) and the settings `s`, and returns
# the new value.

#' An optimiser of one parameter group that applies `rule` to each parameter.
new_optimizer <- function(params, settings, rule) {
  self <- new.env(parent = emptyenv())
  self$param_groups <- list(c(list(params = params), settings))
  states <- lapply(params, function(p) list2env(list(t = 0), parent = emptyenv()))
  self$zero_grad <- function() for (p in params) p[["gradient"]] <- NULL
  self$step <- function() {
    for (i in seq_along(params)) {
      if (is.null(params[[i]][["gradient"]])) next
      states[[i]]$t <- states[[i]]$t + 1
      params[[i]][["value"]] <- rule(
        params[[i]][["value"]], params[[i]][["gradient"]][["value"]], states[[i]],
        self$param_groups[[1]]
      )
    }
  }
  self
}

#' `before`, the state of the step before, or zero at the first step.
or_zero <- function(before) if (is.null(before)) 0 else before

#' The step that Adam and AdamW share.
adam_direction <- function(p, g, state, s) {
  state$m <- or_zero(state$m) * s$betas[1]
  state$m <- state$m + (1 - s$betas[1]) * g
  state$v <- or_zero(state$v) * s$betas[2]
  state$v <- state$v + (1 - s$betas[2]) * g * g
  v <- state$v
  if (s$amsgrad) v <- state$peak <- pmax(state$v, or_zero(state$peak))
  denominator <- sqrt(v) / sqrt(1 - s$betas[2]^state$t) + s$eps
  p + -s$lr / (1 - s$betas[1]^state$t) * state$m / denominator
}

adamw_rule <- function(p, g, state, s) {
  if (s$weight_decay != 0) p <- p * (1 - s$lr * s$weight_decay)
  adam_direction(p, g, state, s)
}

adam_rule <- function(p, g, state, s) adam_direction(p, decayed(g, p, s), state, s)

#' The gradient with the weight decay of all rules but AdamW's.
decayed <- function(g, p, s) if (s$weight_decay != 0) g + s$weight_decay * p else g

sgd_rule <- function(p, g, state, s) {
  g <- decayed(g, p, s)
  if (s$momentum == 0) return(p + -s$lr * g)
  first <- is.null(state$buffer)
  state$buffer <- if (first) g else state$buffer * s$momentum + (1 - s$dampening) * g
  p + -s$lr * if (s$nesterov) g + s$momentum * state$buffer else state$buffer
}

rmsprop_rule <- function(p, g, state, s) {
  g <- decayed(g, p, s)
  state$square <- or_zero(state$square) * s$alpha
  state$square <- state$square + (1 - s$alpha) * g * g
  square <- state$square
  if (s$centered) {
    state$mean <- or_zero(state$mean) * s$alpha
    state$mean <- state$mean + (1 - s$alpha) * g
    square <- square - state$mean * state$mean
  }
  average <- sqrt(square) + s$eps
  if (s$momentum == 0) return(p + -s$lr * g / average)
  state$buffer <- or_zero(state$buffer) * s$momentum
  state$buffer <- state$buffer + g / average
  p - s$lr * state$buffer
}

adagrad_rule <- function(p, g, state, s) {
  g <- decayed(g, p, s)
  state$square <- or_zero(state$square) + g * g
  rate <- s$lr / (1 + (state$t - 1) * s$lr_decay)
  p + -rate * g / (sqrt(state$square) + s$eps)
}

optim_ignite_adamw <- function(params, lr = 1e-3, betas = c(0.9, 0.999), eps = 1e-8,
                               weight_decay = 1e-2, amsgrad = FALSE) {
  settings <- list(
    lr = lr, betas = betas, eps = eps, weight_decay = weight_decay, amsgrad = amsgrad
  )
  new_optimizer(params, settings, adamw_rule)
}

optim_ignite_adam <- function(params, lr = 1e-3, betas = c(0.9, 0.999), eps = 1e-8,
                              weight_decay = 0, amsgrad = FALSE) {
  settings <- list(
    lr = lr, betas = betas, eps = eps, weight_decay = weight_decay, amsgrad = amsgrad
  )
  new_optimizer(params, settings, adam_rule)
}

optim_ignite_sgd <- function(params, lr, momentum = 0, dampening = 0, weight_decay = 0,
                             nesterov = FALSE) {
  settings <- list(
    lr = lr, momentum = momentum, dampening = dampening, weight_decay = weight_decay,
    nesterov = nesterov
  )
  new_optimizer(params, settings, sgd_rule)
}

optim_ignite_rmsprop <- function(params, lr = 1e-2, alpha = 0.99, eps = 1e-8, weight_decay = 0,
                                 momentum = 0, centered = FALSE) {
  settings <- list(
    lr = lr, alpha = alpha, eps = eps, weight_decay = weight_decay, momentum = momentum,
    centered = centered
  )
  new_optimizer(params, settings, rmsprop_rule)
}

optim_ignite_adagrad <- function(params, lr = 1e-2, lr_decay = 0, weight_decay = 0, eps = 1e-10) {
  settings <- list(lr = lr, lr_decay = lr_decay, weight_decay = weight_decay, eps = eps)
  new_optimizer(params, settings, adagrad_rule)
}
