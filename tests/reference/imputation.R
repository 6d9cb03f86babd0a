# Rubin's rules by R's mice, and the cumulative hazard by its survival.
# Run by hand from this folder, after make_data.py: Rscript imputation.R
# Reads ties.csv and cohort.csv, writes imputation.csv: case, name, statistic, value (17 digits).
suppressPackageStartupMessages({library(mice); library(survival)})

out <- data.frame()
# The dots keep a statistic called n from being taken for the argument `name`.
keep <- function(.case, .name, ...) {
  found <- c(...)
  out <<- rbind(out, data.frame(case = .case, name = .name, statistic = names(found),
    value = trimws(formatC(unname(found), digits = 17, format = "g"))))
}

# What the tests pool as well: estimates, variances, patients or events, coefficients.
pooled <- function(case, estimates, variances, n, k) {
  found <- pool.scalar(estimates, variances, n = n, k = k)
  t <- found$qbar / sqrt(found$t)
  reach <- qt(0.975, found$df) * sqrt(found$t)
  ratios <- exp(found$qbar + c(0, -reach, reach))
  ratios[is.infinite(ratios)] <- NA
  keep(case, "pooled", estimate = found$qbar, standard_error = sqrt(found$t), degrees_of_freedom = found$df,
    fraction_missing_information = found$fmi, p = 2 * pt(-abs(t), found$df),
    ratio = ratios[1], ci_low = ratios[2], ci_high = ratios[3])
}
pooled("five", c(0.4, 0.55, 0.31, 0.62, 0.47), c(0.04, 0.05, 0.045, 0.038, 0.052), 98, 4)
pooled("two_far_apart", c(-1.2, 0.9), c(0.01, 0.02), 20, 1)
pooled("nearly_complete", c(0.7, 0.700001, 0.699999), c(0.09, 0.09, 0.09), 66, 9)
pooled("all_the_same", c(0.7, 0.7, 0.7), c(0.09, 0.09, 0.09), 66, 9)
pooled("endless_data", c(0.4, 0.55, 0.31, 0.62, 0.47), c(0.04, 0.05, 0.045, 0.038, 0.052), Inf, 1)

hazard <- function(case, time, event) {
  curve <- survfit(Surv(time, event) ~ 1, stype = 2, ctype = 1)
  keep(case, "hazard", setNames(curve$cumhaz[match(time, curve$time)], paste0("row_", seq_along(time) - 1)))
}
ties <- read.csv("ties.csv")
hazard("ties", ties$time, ties$event)
cohort <- read.csv("cohort.csv")
hazard("cohort", cohort$os_months, cohort$has_died)

write.csv(out, "imputation.csv", row.names = FALSE, quote = FALSE)
