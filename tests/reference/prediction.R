# What is measured of predicted probabilities, and Riley's sample sizes, by R's pROC, rms, Hmisc, sandwich and plain code.
# Run by hand from this folder: Rscript prediction.R [folder with pbc, lung and gbsg2]
# Reads cohort.csv and ties.csv, writes prediction.csv: case, name, statistic, value (17 digits).
# Of the third-party data sets only R's numbers are kept here, and none of a single patient.
suppressPackageStartupMessages({library(pROC); library(Hmisc); library(rms); library(sandwich)})

out <- data.frame()
keep <- function(.case, .name, ...) {
  found <- c(...)
  out <<- rbind(out, data.frame(case = .case, name = .name, statistic = names(found),
    value = trimws(formatC(unname(found), digits = 17, format = "g"))))
}
# R's weights are one step old: the fit starts where it has ended.
tight <- glm.control(epsilon = 1e-14, maxit = 200)
fit_glm <- function(formula, data) {
  fit <- glm(formula, family = binomial, data = data, control = tight)
  glm(formula, family = binomial, data = data, control = tight, start = coef(fit))
}
limits <- function(name, value, error) {
  reach <- qnorm(0.975) * error
  setNames(c(value, value - reach, value + reach), paste0(name, c("", "_low", "_high")))
}

# Obuchowski 1997, pair by pair and patient by patient.
clustered_auc <- function(y, p, g) {
  x <- p[y == 1]; z <- p[y == 0]
  wins <- outer(x, z, function(a, b) (a > b) + (a == b) / 2)
  auc <- mean(wins); v10 <- rowMeans(wins) - auc; v01 <- colMeans(wins) - auc
  s10 <- s01 <- s11 <- 0
  for (each in unique(g)) {
    a <- sum(v10[g[y == 1] == each]); b <- sum(v01[g[y == 0] == each])
    s10 <- s10 + a^2; s01 <- s01 + b^2; s11 <- s11 + a * b
  }
  i10 <- length(unique(g[y == 1])); i01 <- length(unique(g[y == 0])); i <- length(unique(g))
  m <- length(x); n <- length(z)
  s10 <- i10 / ((i10 - 1) * m) * s10; s01 <- i01 / ((i01 - 1) * n) * s01; s11 <- i / (i - 1) * s11
  limits("auc", auc, sqrt(s10 / m + s01 / n + 2 * s11 / (m * n)))
}

measure <- function(case, y, p, g) {
  data <- data.frame(y = y, lp = qlogis(p), g = g)
  data$term <- rcspline.eval(data$lp, knots = quantile(data$lp, c(0.1, 0.5, 0.9)))[, 1]
  large <- fit_glm(y ~ 1 + offset(lp), data)
  slope <- fit_glm(y ~ lp, data)
  curve <- fit_glm(y ~ lp + term, data)
  delong <- ci.auc(roc(y, p, direction = "<", quiet = TRUE), method = "delong")
  distance <- abs(fitted(curve) - p)
  # rms has the same Brier score, and nearly the same slope (its fit stops early) and area (it rounds ranks).
  val <- val.prob(p, y, pl = FALSE)
  stopifnot(abs(val[["C (ROC)"]] - delong[2]) < 5e-3, abs(val[["Brier"]] - mean((p - y)^2)) < 1e-12,
    abs(val[["Slope"]] - coef(slope)[[2]]) < 1e-4)
  keep(case, "figures", auc = delong[2], auc_low = delong[1], auc_high = delong[3],
    limits("calibration_intercept", coef(large)[[1]], sqrt(vcov(large)[1, 1])),
    limits("calibration_slope", coef(slope)[[2]], sqrt(vcov(slope)[2, 2])),
    brier = mean((p - y)^2), scaled_brier = 1 - mean((p - y)^2) / (mean(y) * (1 - mean(y))),
    log_loss = -mean(ifelse(y == 1, log(p), log(1 - p))),
    ici = mean(distance), e50 = median(distance), e90 = quantile(distance, 0.9)[[1]])
  robust <- function(fit) vcovCL(fit, cluster = data$g, type = "HC0", cadjust = TRUE)
  keep(case, "clustered", clustered_auc(y, p, g),
    limits("calibration_intercept", coef(large)[[1]], sqrt(robust(large)[1, 1])),
    limits("calibration_slope", coef(slope)[[2]], sqrt(robust(slope)[2, 2])))
  # Three of seven points of the curve.
  at <- seq(min(p), max(p), length.out = 7)[c(2, 4, 6)]
  x <- cbind(1, qlogis(at), rcspline.eval(qlogis(at), knots = quantile(data$lp, c(0.1, 0.5, 0.9)))[, 1])
  for (how in c("curve", "clustered_curve")) {
    v <- if (how == "curve") vcov(curve) else robust(curve)
    middle <- drop(x %*% coef(curve)); reach <- qnorm(0.975) * sqrt(rowSums((x %*% v) * x))
    for (k in 1:3) keep(paste0(case, "_", how), k, predicted = at[k], observed = plogis(middle[k]),
      observed_low = plogis(middle[k] - reach[k]), observed_high = plogis(middle[k] + reach[k]))
  }
  for (t in c(0.1, 0.3, 0.5)) {
    worth <- ifelse(y == 1, 1, -t / (1 - t))
    benefit <- mean(worth * (p >= t))
    total <- tapply(worth * (p >= t) - benefit, g, sum); k <- length(total)
    error <- sqrt(k / (k - 1) * sum(total^2)) / length(y)
    keep(paste0(case, "_decision"), t, n_treated = sum(p >= t), n_true_positive = sum(p >= t & y == 1),
      limits("net_benefit", benefit, sd(worth * (p >= t)) / sqrt(length(y))), net_benefit_treat_all = mean(worth))
    keep(paste0(case, "_clustered_decision"), t, limits("net_benefit", benefit, error))
  }
}

# Invented scores; every patient has about as many rows as the rows have patients' numbers.
groups <- function(n, k) (seq_len(n) - 1) %% k
cohort <- read.csv("cohort.csv")
measure("cohort", cohort$has_asl,
  plogis(-1.2 + 1.4 * cohort$baseline_lymphopenia + 0.05 * cohort$ptv_per_100_cm3), groups(98, 31))
ties <- read.csv("ties.csv")
measure("ties", ties$event, plogis(0.2 + 0.3 * ties$x), groups(60, 17))
folder <- commandArgs(trailingOnly = TRUE)
if (length(folder) == 1) {
  lung <- read.csv(file.path(folder, "longitudinal-survival-r", "survival_lung.csv"))
  lung <- lung[complete.cases(lung[c("time", "status", "age", "sex", "ph.ecog")]), ]
  measure("lung", as.numeric(lung$status == 2), plogis(-1 + 0.04 * lung$age), groups(nrow(lung), 50))
  pbc <- read.csv(file.path(folder, "longitudinal-survival-r", "survival_pbc.csv"))
  pbc <- pbc[complete.cases(pbc[c("time", "status", "age", "edema", "bili", "albumin", "protime")]), ]
  measure("pbc", as.numeric(pbc$status == 2), plogis(-1.5 + 0.2 * pbc$bili), groups(nrow(pbc), 100))
  gbsg2 <- read.csv(file.path(folder, "survival-lifelines", "gbsg2.csv"))
  measure("gbsg2", gbsg2$cens, plogis(-0.9 + 0.08 * gbsg2$pnodes), groups(nrow(gbsg2), 200))
}

# Riley's criteria as printed in BMJ 2020;368:m441, and R2 by R's own integration.
r2_of_auc <- function(auc, share) {
  d <- sqrt(2) * qnorm(auc); start <- qlogis(share)
  mean_of <- function(f) integrate(function(z) f(z) * dnorm(z), -30, 30, rel.tol = 1e-12, subdivisions = 1000)$value
  with <- mean_of(function(z) plogis(start + d * z + d^2 / 2, log.p = TRUE))
  without <- mean_of(function(z) plogis(start + d * z - d^2 / 2, lower.tail = FALSE, log.p = TRUE))
  null <- share * log(share) + (1 - share) * log(1 - share)
  1 - exp(2 * (null - share * with - (1 - share) * without))
}
riley <- function(name, share, k, r2, auc) {
  largest <- 1 - (share^share * (1 - share)^(1 - share))^2
  for_shrinkage <- function(s) ceiling(k / ((s - 1) * log(1 - r2 / s)))
  risk <- ceiling((1.96 / 0.05)^2 * share * (1 - share))
  error <- if (k > 30) NA else ceiling(exp((-0.508 + 0.259 * log(min(share, 1 - share)) + 0.504 * log(k) - log(0.05)) / 0.544))
  shrinkage <- for_shrinkage(0.9); optimism <- for_shrinkage(r2 / (r2 + 0.05 * largest))
  n <- max(risk, error, shrinkage, optimism, na.rm = TRUE)
  keep("riley", name, share = share, k = k, r2 = r2, auc = auc, largest_r2 = largest, overall_risk = risk,
    mean_absolute_error = error, shrinkage = shrinkage, optimism = optimism, n = n, n_events = ceiling(n * share))
}
place <- 0
for (auc in c(0.6, 0.7, 0.77, 0.86, 0.95)) for (share in c(0.05, 41 / 98, 0.77)) for (k in c(2, 5, 24, 40)) {
  place <- place + 1
  riley(place, share, k, r2_of_auc(auc, share), auc)
}

write.csv(out, "prediction.csv", row.names = FALSE, quote = FALSE)
