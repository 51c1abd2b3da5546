# The one-cycle schedule of an optimiser with betas.

#' The R-level AdamW, here only as the bearer of the settings that a schedule changes; its step is
#' LibTorch's.
optim_adamw <- function(params, lr = 1e-3) optim_ignite_adamw(params, lr = lr)

#' Smith's one-cycle schedule with R torch's defaults: the rate rises along a cosine from
#' max_lr / 25 over 30 % of the steps, then falls to 1e-4 of its start; beta1 falls from 0.95 to
#' 0.85 and returns.
lr_one_cycle <- function(optimizer, max_lr, total_steps) {
  scheduler <- new.env(parent = emptyenv())
  rise <- 0.3 * total_steps - 1
  low <- max_lr / 25
  taken <- 0
  set <- function() {
    up <- taken <= rise
    part <- if (up) taken / rise else (taken - rise) / (total_steps - rise - 1)
    group <- optimizer$param_groups[[1]]
    group$lr <- if (up) cosine(low, max_lr, part) else cosine(max_lr, low / 1e4, part)
    group$betas[1] <- if (up) cosine(0.95, 0.85, part) else cosine(0.85, 0.95, part)
    optimizer$param_groups[[1]] <- group
  }
  scheduler$step <- function() {
    taken <<- taken + 1
    set()
  }
  set()
  scheduler
}

cosine <- function(start, end, part) end + (start - end) / 2 * (cos(pi * part) + 1)
