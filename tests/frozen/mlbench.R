# Writes mlbench.csv, the frozen vectors of test_mlbench.py:
#   Rscript tests/frozen/mlbench.R > tests/frozen/mlbench.csv
# For each seed one stream runs through all calls, so every call starts where the one before ended.
suppressPackageStartupMessages(library(mlbench))
# Ours, in R: rings around each other.
circles <- function(n, cl = 2, sd = 0.1) {
  classes <- sample(cl, n, replace = TRUE)
  angle <- runif(n, 0, 2 * pi)
  radius <- classes + rnorm(n, sd = sd)
  list(x = cbind(radius * cos(angle), radius * sin(angle)), classes = factor(classes))
}
calls <- expression(
  mlbench.circle(4), mlbench.circle(3, 5), mlbench.xor(4), mlbench.xor(3, 4), mlbench.spirals(5, 1.5, 0.05),
  mlbench.smiley(12), mlbench.smiley(7, 0.3, 0), mlbench.cassini(6), mlbench.cassini(5, c(1, 2, 0.5)),
  mlbench.cuboids(8), mlbench.cuboids(5, c(0, 1, 3, 1)), mlbench.shapes(7), mlbench.2dnormals(4),
  mlbench.2dnormals(4, 5, 2, 0.5), mlbench.ringnorm(3, 4), mlbench.twonorm(3, 4), mlbench.threenorm(5, 3),
  mlbench.threenorm(2), mlbench.waveform(2), mlbench.hypercube(9, 2, c(1, 3), 0.5), mlbench.hypercube(10),
  mlbench.simplex(9), mlbench.simplex(5, 2, 3, 0.2, FALSE), mlbench.friedman1(2), mlbench.friedman2(2),
  mlbench.friedman3(2), mlbench.peak(2), mlbench.peak(2, 3), circles(4), circles(3, 4, 0)
)
numbers <- function(problem) c(problem$x, problem$y, as.integer(as.character(problem$classes)))
cat("seed,call,index,value\n")
for (seed in c(-7, 0, 1, 123, 2147483647)) {
  set.seed(seed)
  for (call in calls) {
    values <- numbers(eval(call))
    cat(sprintf("%d,\"%s\",%d,%.17g\n", seed, deparse(call), seq_along(values) - 1L, values), sep = "")
  }
}
