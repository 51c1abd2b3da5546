#' Training (400 rows) and validation set (200) of mlbench's waveforms: inputs `x` and classes `k`.
waveform_sets <- function() {
  wave <- with_r_seed(123, mlbench::mlbench.waveform(600))
  rows <- list(train = 1:400, valid = 401:600)
  lapply(rows, function(rows) {
    list(
      x = torch_tensor(wave$x[rows, ], dtype = torch_float())$contiguous(),
      k = torch_tensor(as.integer(wave$classes)[rows], dtype = torch_long())
    )
  })
}
