# Confidence intervals of concentrations read off standard curves, by base R alone: nls for the fit and its
# covariance, differences of the inverse for the delta method. Run by hand from this folder: Rscript curves.R
# Reads curves_standards.csv (invented), writes curves.csv: case, signal, concentration, low, high (17 digits).
# Written apart from models/curves: the inverse is differentiated in signal and coefficients, not the curve.
standards <- read.csv("curves_standards.csv")
signals <- c(9, 40, 300, 2500, 12000)

inverse <- function(p, y) {
  f <- if ("f" %in% names(p)) exp(p[["f"]]) else 1
  exp(p[["c"]]) * (((exp(p[["b"]]) - p[["A"]]) / (y - p[["A"]]))^(1 / f) - 1)^(-exp(-p[["d"]]))
}
slope <- function(f, at) {
  step <- 1e-6 * pmax(abs(at), 1e-3)
  vapply(seq_along(at), function(i) {
    high <- low <- at
    high[[i]] <- at[[i]] + step[[i]]; low[[i]] <- at[[i]] - step[[i]]
    (f(high) - f(low)) / (2 * step[[i]])
  }, numeric(1))
}
fit <- function(data, has_asymmetry) {
  start <- list(A = 4, b = log(30000), c = log(900), d = log(1.1), f = log(1.3))
  formula <- y ~ A + (exp(b) - A) / (1 + (x / exp(c))^-exp(d))^exp(f)
  if (!has_asymmetry) { start$f <- NULL; formula <- y ~ A + (exp(b) - A) / (1 + (x / exp(c))^-exp(d)) }
  control <- nls.control(maxiter = 2000, tol = 1e-8, minFactor = 1e-12, nDcentral = TRUE)
  nls(formula, data, start, weights = w, control = control)
}
interval <- function(fitted, y) {
  at <- coef(fitted)
  by_parameter <- slope(function(p) log(inverse(p, y)), at)
  by_signal <- slope(function(one) log(inverse(at, one)), y)
  variance <- sigma(fitted)^2 * y^2 * by_signal^2 + drop(by_parameter %*% vcov(fitted) %*% by_parameter)
  reach <- qt(0.975, df.residual(fitted)) * sqrt(variance)
  x <- inverse(at, y)
  c(concentration = x, low = x * exp(-reach), high = x * exp(reach))
}

out <- data.frame()
for (case in unique(standards$case)) {
  data <- standards[standards$case == case, ]
  data$w <- ifelse(data$y == 0, 1, 1 / data$y^2)
  fitted <- fit(data, has_asymmetry = case != "four levels")
  for (y in signals) {
    numbers <- formatC(c(signal = y, interval(fitted, y)), digits = 17, format = "g")
    out <- rbind(out, data.frame(case = case, t(trimws(numbers))))
  }
}
write.csv(out, "curves.csv", row.names = FALSE, quote = FALSE)
