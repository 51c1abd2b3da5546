# Torch's generator on the CPU is MT19937, which is also R's default; only the seeding and the use
# of the 32-bit draws differ. So R's own generator makes the draws, from torch's state.
# Sources: ATen/core/MT19937RNGEngine.h, ATen/core/DistributionsHelper.h,
# ATen/native/cpu/DistributionTemplates.h, ATen/native/TensorFactories.cpp (randperm).

generator <- new.env(parent = emptyenv())

#' Seeds torch's generator.
torch_manual_seed <- function(seed) {
  generator$state <- seeded_state(seed)
  generator$kept_normal <- NULL
  invisible(NULL)
}

#' Evaluates `code` under `seed`, then gives the generator its state back.
with_torch_manual_seed <- function(code, ..., seed) {
  before <- mget(c("state", "kept_normal"), envir = generator)
  on.exit(list2env(before, generator))
  torch_manual_seed(seed)
  force(code)
}

#' MT19937's state for `seed` in the form of R's .Random.seed. Products are taken modulo 2^32 in two
#' halves, because a double holds 53 bits.
seeded_state <- function(seed) {
  words <- numeric(624)
  words[1] <- seed %% 2^32
  for (i in seq_len(623)) {
    high <- words[i] %/% 2^16
    low <- bitwXor(words[i] %% 2^16, words[i] %/% 2^30)
    words[i + 1] <- ((high * 1812433253) %% 2^16 * 2^16 + low * 1812433253 + i) %% 2^32
  }
  signed <- ifelse(words < 2^31, words, words - 2^32)
  # -2^31 becomes NA with a warning, and NA_integer_ is the bit pattern that is meant.
  c(10403L, 624L, suppressWarnings(as.integer(signed)))
}

torch_manual_seed(67280421310721)

#' The generator's next `n` 32-bit draws. R's own random numbers are left as they were.
draw_uint32 <- function(n) {
  before <- globalenv()$.Random.seed
  on.exit(if (is.null(before)) {
    rm(".Random.seed", envir = globalenv())
  } else {
    assign(".Random.seed", before, envir = globalenv())
  })
  assign(".Random.seed", generator$state, envir = globalenv())
  draws <- floor(stats::runif(n) * 2^32)
  generator$state <- globalenv()$.Random.seed
  draws
}

#' `x` rounded to the nearest float32.
float32 <- function(x) {
  readBin(writeBin(as.double(x), raw(), size = 4L), "double", n = length(x), size = 4L)
}

#' Torch's float32 draws between `from` and `to`: 24 bits of a 32-bit draw, stretched and shifted by
#' one fused operation, so that only the sum is rounded. In doubles product and sum are exact.
draw_uniform <- function(n, from = 0, to = 1) {
  from <- float32(from)
  range <- float32(float32(to) - from)
  float32(draw_uint32(n) %% 2^24 / 2^24 * range + from)
}

#' Torch's double draws between 0 and 1: 53 bits of two 32-bit draws.
draw_uniform_53 <- function(n) {
  draws <- matrix(draw_uint32(2 * n), nrow = 2)
  (draws[1, ] %% 2^21 * 2^32 + draws[2, ]) / 2^53
}

#' Torch's draws from a normal distribution.
draw_normal <- function(n, mean = 0, std = 1) {
  if (n >= 16) return(draw_normal_blocks(n) * std + mean)
  float32(vapply(seq_len(n), function(i) next_normal(), 0) * std + mean)
}

#' Fewer than 16 normal draws are made in double, one by one, each second one kept from the first.
next_normal <- function() {
  kept <- generator$kept_normal
  if (is.null(kept)) {
    uniform <- draw_uniform_53(2)
    radius <- sqrt(-2 * log1p(-uniform[2]))
    generator$kept_normal <- radius * sin(2 * pi * uniform[1])
    return(radius * cos(2 * pi * uniform[1]))
  }
  generator$kept_normal <- NULL
  kept
}

#' Torch's standard normal draws, for n >= 16: Box-Muller in blocks of 16, the last 16 drawn anew
#' where n is no multiple. Torch computes them in float32 with approximations of log, sin and cos;
#' these are the doubles, which agree to about 1e-6.
draw_normal_blocks <- function(n) {
  uniform <- draw_uniform(n)
  starts <- seq(1, n - 15, by = 16)
  normal <- unlist(lapply(starts, function(i) box_muller(uniform[i + 0:15])))
  if (n %% 16 > 0) normal[seq(n - 15, n)] <- box_muller(draw_uniform(16))
  normal
}

#' Eight pairs of uniform draws as 16 normal draws.
box_muller <- function(uniform) {
  radius <- sqrt(-2 * log(1 - uniform[1:8]))
  angle <- 2 * pi * uniform[9:16]
  c(radius * cos(angle), radius * sin(angle))
}

torch_randn <- function(n) new_tensor(draw_normal(n))

#' A permutation of 0 to n - 1.
torch_randperm <- function(n) {
  permutation <- seq_len(n) - 1
  offsets <- draw_uint32(n - 1) %% (n - seq_len(n - 1) + 1)
  for (i in seq_len(n - 1)) {
    pair <- c(i, i + offsets[i])
    permutation[pair] <- permutation[rev(pair)]
  }
  new_tensor(permutation)
}

#' Dropout keeps an element where a draw is below 1 - p. The draws run along the rows; none are made for
#' p = 0.
nnf_dropout <- function(input, p = 0.5) {
  if (p == 0) return(input)
  value <- input[["value"]]
  factor <- (draw_uniform_53(length(value)) < 1 - p) / (1 - p)
  if (is.matrix(value)) factor <- matrix(factor, nrow(value), byrow = TRUE)
  record(value * factor, list(input), function(g) list(g * factor))
}
