# Cox's model by R's survival: both tie rules, covariates that change, proportional hazards, residuals, and each
# patient left out. Run by hand from this folder, after make_data.py: Rscript cox.R [folder with pbc, lung, gbsg2]
# Reads cohort.csv, ties.csv and onsets.csv, writes cox.csv: case, name, statistic, value (17 digits).
# Of the third-party data sets only R's numbers are kept here, and none of one patient.
suppressPackageStartupMessages(library(survival))

out <- data.frame()
# The dots keep a statistic called n from being taken for the argument `name`.
keep <- function(.case, .name, ...) {
  found <- c(...)
  out <<- rbind(out, data.frame(case = .case, name = .name, statistic = names(found),
    value = trimws(formatC(unname(found), digits = 17, format = "g"))))
}
# R stops Newton at a relative change of 1e-9: it is driven to the end here.
tight <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 200)
fit_cox <- function(data, followed, words, ties)
  coxph(as.formula(paste("followed ~", paste(words, collapse = "+"))), data = data, ties = ties, control = tight)

model <- function(case, fit) {
  for (name in names(coef(fit)))
    keep(case, name, coefficient = coef(fit)[[name]], standard_error = sqrt(diag(vcov(fit)))[[name]])
  chi_squares <- c(wald = fit$wald.test[[1]], score = fit$score, likelihood_ratio = 2 * diff(fit$loglik))
  df <- length(coef(fit))
  p <- setNames(pchisq(chi_squares, df, lower.tail = FALSE), paste0("p_", names(chi_squares)))
  keep(case, if (df == 1) paste0("model_", names(coef(fit))) else "model", chi_squares, p,
    degrees_of_freedom = df, log_likelihood = fit$loglik[2], n = fit$n, events = fit$nevent)
}
proportional <- function(case, fit) {
  table <- cox.zph(fit, transform = "km")$table
  for (name in rownames(table)) keep(case, name, chi_square = table[name, 1], degrees_of_freedom = table[name, 2],
    p = table[name, 3])
}
residuals_of <- function(case, fit, rows = 0) {
  score <- as.matrix(residuals(fit, "score"))
  dfbetas <- as.matrix(residuals(fit, "dfbetas"))
  martingale <- residuals(fit, "martingale")
  for (k in seq_along(coef(fit)))
    keep(case, names(coef(fit))[k], max_abs_dfbetas = max(abs(dfbetas[, k])), sum_abs_dfbetas = sum(abs(dfbetas[, k])),
      n_influential = sum(abs(dfbetas[, k]) > 2 / sqrt(fit$n)), sum_abs_score = sum(abs(score[, k])),
      if (rows) setNames(score[seq_len(rows), k], paste0("score_", seq_len(rows) - 1)))
  keep(case, "martingale", sum_abs = sum(abs(martingale)), lowest = min(martingale), highest = max(martingale),
    if (rows) setNames(martingale[seq_len(rows)], paste0("row_", seq_len(rows) - 1)))
}
one_left_out <- function(case, data, y, words, ties) {
  ratios <- sapply(seq_len(nrow(data)), function(i) exp(coef(fit_cox(data[-i, ], y[-i], words, ties))))
  ratios <- matrix(ratios, nrow = length(words))
  for (k in seq_along(words))
    keep(case, words[k], ratio_without_low = min(ratios[k, ]), ratio_without_high = max(ratios[k, ]))
}
# Two rows for who is in the state for a part of the follow-up; an onset at the end or later is no onset.
split_rows <- function(data, time, event, onset) {
  rows <- list()
  for (i in seq_len(nrow(data))) {
    if (time[i] <= 0) next
    one <- data[i, ]
    begins <- onset[i]
    if (is.na(begins) || begins >= time[i]) rows <- c(rows, list(cbind(one, t0 = 0, t1 = time[i], d = event[i], after = 0)))
    else if (begins <= 0) rows <- c(rows, list(cbind(one, t0 = 0, t1 = time[i], d = event[i], after = 1)))
    else rows <- c(rows, list(cbind(one, t0 = 0, t1 = begins, d = 0, after = 0),
      cbind(one, t0 = begins, t1 = time[i], d = event[i], after = 1)))
  }
  do.call(rbind, rows)
}
# An invented rule by the row's number: two of three rows enter the state, somewhere from the start to the end.
onset_by_row <- function(time) {
  row <- seq_along(time) - 1
  ifelse(row %% 3 == 0, NA, time * ((row * 37) %% 101) / 100)
}
everything <- function(name, data, time, event, words, rows = 0, leave_out = FALSE) {
  y <- Surv(time, event)
  for (ties in c("efron", "breslow")) {
    fit <- fit_cox(data, y, words, ties)
    model(paste0(name, "_", ties), fit)
    proportional(paste0(name, "_", ties, "_zph"), fit)
    residuals_of(paste0(name, "_", ties, "_residuals"), fit, rows)
    if (leave_out) one_left_out(paste0(name, "_", ties, "_left_out"), data, y, words, ties)
  }
}
time_dependent <- function(name, data, time, event, onset, words, rows = 0) {
  split <- split_rows(data, time, event, onset)
  y <- Surv(split$t0, split$t1, split$d)
  for (ties in c("efron", "breslow")) {
    alone <- fit_cox(split, y, "after", ties)
    fit <- fit_cox(split, y, c("after", words), ties)
    model(paste0(name, "_", ties, "_td_alone"), alone)
    model(paste0(name, "_", ties, "_td"), fit)
    proportional(paste0(name, "_", ties, "_td_zph"), fit)
    residuals_of(paste0(name, "_", ties, "_td_residuals"), fit, rows)
  }
}

cohort <- read.csv("cohort.csv")
survival_words <- c("age_gt_60", "female", "hepatitis_viral", "multiple_tumors", "cirrhosis", "child_pugh_b",
  "pvtt", "previous_treatment", "uicc_iii_iv", "afp_per_ng_ml", "pivka_ii_per_mau_ml", "baseline_lymphopenia",
  "combined_therapy", "dose_per_gy", "pre_rt_il7_per_pg_ml", "post_rt_il7_per_pg_ml", "asl")
few_words <- c("child_pugh_b", "uicc_ordinal", "pivka_ii_per_mau_ml", "pre_rt_il7_per_pg_ml")
onsets <- read.csv("onsets.csv")$onset_months
with(cohort, {
  for (ties in c("efron", "breslow")) for (word in survival_words)
    model(paste0("cohort_alone_", ties), fit_cox(cohort, Surv(os_months, has_died), word, ties))
  everything("cohort", cohort, os_months, has_died, sub("uicc_iii_iv", "uicc_ordinal", survival_words), rows = 3)
  everything("cohort_few", cohort, os_months, has_died, c(few_words, "asl"), leave_out = TRUE)
  # Follow-up in whole quarters: heavy ties.
  everything("cohort_quarters", cohort, ceiling(os_months / 3), has_died, c(few_words, "asl"), leave_out = TRUE)
  time_dependent("cohort", cohort, os_months, has_died, onsets, few_words, rows = 3)
  time_dependent("cohort_quarters", cohort, ceiling(os_months / 3), has_died, ceiling(onsets), few_words)
})
ties <- read.csv("ties.csv")
everything("ties", ties, ties$time, ties$event, c("x", "y", "large"), rows = 3, leave_out = TRUE)
time_dependent("ties", ties, ties$time, ties$event, floor(onset_by_row(ties$time)), c("x", "y"), rows = 3)

folder <- commandArgs(trailingOnly = TRUE)
if (length(folder) == 1) {
  lung <- read.csv(file.path(folder, "longitudinal-survival-r", "survival_lung.csv"))
  lung$event <- as.integer(lung$status == 2)
  words <- c("age", "sex", "ph.ecog")
  lung <- lung[complete.cases(lung[c("time", "event", words)]), ]
  everything("lung", lung, lung$time, lung$event, words, leave_out = TRUE)
  time_dependent("lung", lung, lung$time, lung$event, onset_by_row(lung$time), words)

  pbc <- read.csv(file.path(folder, "longitudinal-survival-r", "survival_pbc.csv"))
  pbc$event <- as.integer(pbc$status == 2)
  words <- c("age", "edema", "bili", "albumin", "protime")
  pbc <- pbc[complete.cases(pbc[c("time", "event", words)]), ]
  everything("pbc", pbc, pbc$time, pbc$event, words)
  time_dependent("pbc", pbc, pbc$time, pbc$event, onset_by_row(pbc$time), words)

  gbsg2 <- read.csv(file.path(folder, "survival-lifelines", "gbsg2.csv"))
  gbsg2$hormone <- as.integer(gbsg2$horTh == "yes")
  gbsg2$post <- as.integer(gbsg2$menostat == "Post")
  everything("gbsg2", gbsg2, gbsg2$time, gbsg2$cens,
    c("hormone", "age", "post", "tsize", "pnodes", "progrec", "estrec"))
}
write.csv(out, "cox.csv", row.names = FALSE, quote = FALSE)
