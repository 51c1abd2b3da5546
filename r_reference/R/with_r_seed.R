#' Evaluates `code` with R's default generators under `seed`; the caller's random numbers continue
#' afterwards as if nothing had been drawn.
with_r_seed <- function(seed, code) {
  before <- globalenv()$.Random.seed
  on.exit({
    if (is.null(before)) {
      rm(".Random.seed", envir = globalenv())
    } else {
      assign(".Random.seed", before, envir = globalenv())
    }
  })
  set.seed(seed, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
  force(code)
}
