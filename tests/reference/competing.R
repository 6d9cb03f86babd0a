# Competing risks, correlations, Fisher's exact test and false discovery rates by R's own packages
# (stats, survival 3.5.3, cmprsk 2.2.11, etm 1.1.1). Run by hand from this folder, after make_data.py:
# Rscript competing.R [folder with pbc]
# Reads cohort.csv and ties.csv, writes competing.csv: case, name, statistic, value (17 digits).
# Of pbc only R's numbers are kept here.
suppressPackageStartupMessages({library(survival); library(cmprsk); library(etm)})

out <- data.frame()
keep <- function(.case, .name, ...) {
  found <- c(...)
  out <<- rbind(out, data.frame(case = .case, name = .name, statistic = names(found),
    value = trimws(formatC(unname(found), digits = 17, format = "g"))))
}

# Incidence with survfit's error and limits, and the incidence alone by two other packages.
# status: 0 for nothing yet, then 1, 2, ... for the causes. etm takes no time of 0.
incidence <- function(case, time, status, at) {
  causes <- seq_len(max(status))
  fit <- survfit(Surv(time, factor(status, c(0, causes))) ~ 1, conf.type = "log-log")
  found <- summary(fit, times = at)
  by_cuminc <- cuminc(time, status)
  if (min(time) > 0) {
    data <- data.frame(id = seq_along(time), from = 0, to = ifelse(status == 0, "cens", status), time = time)
    tra <- matrix(FALSE, length(causes) + 1, length(causes) + 1)
    tra[1, -1] <- TRUE
    by_etm <- etm(data, as.character(c(0, causes)), tra, "cens", s = 0)
  }
  for (cause in causes) for (i in seq_along(found$time)) {
    column <- cause + 1
    p <- found$pstate[i, column]
    numbers <- c(estimate = p, standard_error = found$std.err[i, column],
      ci_low = found$lower[i, column], ci_high = found$upper[i, column], n_at_risk = found$n.risk[i, 1])
    at_i <- found$time[i]
    other <- by_cuminc[[paste(1, cause)]]
    if (!is.null(other)) numbers[["cuminc"]] <- other$est[max(which(other$time <= at_i))]
    if (min(time) > 0) numbers[["etm"]] <- trprob(by_etm, paste(0, cause), at_i)
    keep(case, paste0("cause_", cause, "_at_", at_i), numbers)
  }
}
correlate <- function(case, x, y) {
  pearson <- cor.test(x, y)
  spearman <- suppressWarnings(cor.test(x, y, method = "spearman", exact = FALSE))
  keep(case, "pearson", estimate = pearson$estimate[[1]], ci_low = pearson$conf.int[1],
    ci_high = pearson$conf.int[2], p = pearson$p.value)
  keep(case, "spearman", estimate = spearman$estimate[[1]], p = spearman$p.value)
}
# Tables are written down a column.
fisher <- function(case, ...) {
  counts <- c(...)
  keep(case, paste(counts, collapse = "_"), p = fisher.test(matrix(counts, 2))$p.value)
}

cohort <- read.csv("cohort.csv")
# Progression is the event where it came before the end of survival.
cohort$cause <- with(cohort, ifelse(has_progressed_or_died == 0, 0, ifelse(pfs_months < os_months, 1, 2)))
months <- c(1, 6, 12, 24, 36)
with(cohort, {
  incidence("cohort_all", pfs_months, cause, months)
  for (value in 0:1)
    incidence(paste0("cohort_asl_", value), pfs_months[has_asl == value], cause[has_asl == value], months)
  correlate("correlation_il7", pre_rt_il7_pg_ml, baseline_tlc_cells_per_ul)
  correlate("correlation_month_2", post_rt_il7_pg_ml, tlc_month_2_cells_per_ul)
  correlate("correlation_change", post_rt_il7_pg_ml - pre_rt_il7_pg_ml, pre_rt_il7_pg_ml)
})

ties <- read.csv("ties.csv")
incidence("ties_two", ties$time, ties$event * (1 + ties$y), 1:9)
incidence("ties_three", ties$time, ties$event * match(ties$group, c("a", "b", "c")), 1:9)
correlate("correlation_ties", ties$time, ties$y)
correlate("correlation_large", ties$large, ties$x)
# Worked by hand in the tests: everybody has an event but two.
incidence("hand", c(1, 2, 2, 3, 3, 4, 5, 5), c(1, 2, 0, 1, 1, 0, 2, 1), 1:5)
incidence("at_time_0", c(0, 0, 0, 1, 2, 2, 3), c(1, 2, 0, 0, 1, 0, 2), 0:3)
incidence("one_event", c(2, 5, 7, 9), c(1, 0, 0, 0), c(2, 9))
correlate("correlation_four", c(1, 2, 3, 4), c(1, 3, 2, 4))
correlate("correlation_falling", c(1, 2, 2, 5, 9, 9), c(8, 7, 5, 5, 2, 1))

fisher("fisher", 3, 1, 1, 3)
fisher("fisher", 29, 12, 24, 33)
fisher("fisher", 7, 0, 34, 57)
fisher("fisher", 1, 24, 24, 1)
fisher("fisher", 500, 470, 470, 500)
fisher("fisher", 5000, 4900, 4900, 5000)
fisher("fisher", 50000, 49000, 49500, 50500)

# Two equal ones, one of 1, and some whose product with n over rank is above that of a larger p.
raw <- c(0.01, 0.04, 0.03, 0.005, 0.5, 0.04, 1, 0.9, 1e-12, 0.97)
keep("fdr", "ten", setNames(p.adjust(raw, "BH"), paste0("p", seq_along(raw))))

folder <- commandArgs(trailingOnly = TRUE)
if (length(folder) == 1) {
  pbc <- read.csv(file.path(folder, "longitudinal-survival-r", "survival_pbc.csv"))
  incidence("pbc_incidence", pbc$time, pbc$status, c(182, 365, 1825, 3650))
  correlate("pbc_correlation", pbc$bili, pbc$albumin)
}

write.csv(out, "competing.csv", row.names = FALSE, quote = FALSE)
