# The logistic regression on a covariate beyond limits, by base R alone: optim for the top, integrate for the
# values below and above a limit. Run by hand from this folder, after make_data.py: Rscript censored.R
# Reads cohort.csv, puts limits on IL-7 (see `cases`), writes censored.csv: case, statistic, value (17 digits).
# Written apart from models/censored.py: it integrates over the covariate, not over its logarithm, each patient
# by itself, and takes the information from differences of the log-likelihood.
cohort <- read.csv("cohort.csv")
x <- cohort$pre_rt_il7_pg_ml
y <- cohort$has_asl
n <- length(x)

cases <- list(
  none = list(low = rep(0, n), high = rep(Inf, n)),
  below = list(low = rep(1.6, n), high = rep(Inf, n)),
  above = list(low = rep(0, n), high = rep(4, n)),
  both = list(low = rep(c(1.3, 1.7), length.out = n), high = rep(c(5, 4, 6), length.out = n))
)

log_likelihood <- function(theta, low, high) {
  a <- theta[[1]]; b <- theta[[2]]; mean <- theta[[3]]; sd <- exp(theta[[4]])
  parts <- vapply(seq_len(n), function(i) {
    # The density of the logarithm, as ours: dlnorm times x.
    if (x[i] >= low[i] && x[i] <= high[i])
      return(dnorm(log(x[i]), mean, sd, log = TRUE) + dbinom(y[i], 1, plogis(a + b * x[i]), log = TRUE))
    part <- function(t) dlnorm(t, mean, sd) * dbinom(y[i], 1, plogis(a + b * t))
    span <- if (x[i] < low[i]) c(0, low[i]) else c(high[i], Inf)
    log(integrate(part, span[1], span[2], rel.tol = 1e-11, abs.tol = 0, subdivisions = 1000)$value)
  }, 0)
  sum(parts)
}

# Differences of the fourth order: what the step leaves is below 1e-8 of it.
second_differences <- function(f, at, step = 4e-3) {
  k <- length(at)
  weights <- c(`-2` = 1, `-1` = -8, `1` = 8, `2` = -1) / 12
  hessian <- matrix(0, k, k)
  for (i in seq_len(k)) for (j in seq_len(i)) {
    total <- 0
    for (s in names(weights)) for (t in names(weights)) {
      moved <- at
      moved[i] <- moved[i] + as.numeric(s) * step
      moved[j] <- moved[j] + as.numeric(t) * step
      total <- total + weights[[s]] * weights[[t]] * f(moved)
    }
    hessian[i, j] <- hessian[j, i] <- total / step^2
  }
  hessian
}
first_differences <- function(f, at, step = 1e-3) vapply(seq_along(at), function(i) {
  move <- replace(numeric(length(at)), i, step)
  (f(at - 2 * move) - 8 * f(at - move) + 8 * f(at + move) - f(at + 2 * move)) / (12 * step)
}, 0)

out <- data.frame()
for (name in names(cases)) {
  low <- cases[[name]]$low; high <- cases[[name]]$high
  f <- function(theta) log_likelihood(theta, low, high)
  known <- pmin(pmax(x, low), high)
  start <- c(0, 0, mean(log(known)), log(sd(log(known))))
  # Far from the top an integral may fail: that place is then no candidate.
  careful <- function(theta) tryCatch(f(theta), error = function(e) -1e10)
  found <- optim(start, careful, control = list(fnscale = -1, reltol = 1e-10, maxit = 2000))$par
  for (i in 1:3) found <- found - solve(second_differences(f, found), first_differences(f, found))
  errors <- sqrt(diag(solve(-second_differences(f, found))))
  z <- found[2] / errors[2]
  values <- c(n_below = sum(x < low), n_above = sum(x > high), intercept = found[1],
    intercept_error = errors[1], coefficient = found[2], standard_error = errors[2],
    p = 2 * pnorm(-abs(z)), ratio = exp(found[2]), ci_low = exp(found[2] - qnorm(0.975) * errors[2]),
    ci_high = exp(found[2] + qnorm(0.975) * errors[2]), mean_of_log = found[3], sd_of_log = exp(found[4]),
    log_likelihood = f(found))
  out <- rbind(out, data.frame(case = name, statistic = names(values),
    value = trimws(formatC(unname(values), digits = 17, format = "g"))))
}
write.csv(out, "censored.csv", row.names = FALSE, quote = FALSE)
