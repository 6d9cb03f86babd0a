# The numbers that our statistics are compared with, by R's own packages (stats, survival, pROC).
# Run by hand from this folder, after make_data.py: Rscript reference.R [folder with pbc, lung and gbsg2]
# Reads cohort.csv and ties.csv, writes expected.csv: case, name, statistic, value (17 digits).
# Of the third-party data sets only R's numbers are kept here.
suppressPackageStartupMessages({library(survival); library(pROC)})

out <- data.frame()
# The dots keep a statistic called n from being taken for the argument `name`.
keep <- function(.case, .name, ...) {
  found <- c(...)
  out <<- rbind(out, data.frame(case = .case, name = .name, statistic = names(found),
    value = trimws(formatC(unname(found), digits = 17, format = "g"))))
}

# R stops Newton at a relative change of 1e-9 (coxph) or 1e-8 (glm): both are driven to the end here.
tight_cox <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 200)
tight_glm <- glm.control(epsilon = 1e-14, maxit = 200)

keep_coefficients <- function(case, estimate, se) {
  for (name in names(estimate)) {
    z <- estimate[[name]] / se[[name]]
    keep(case, name, coefficient = estimate[[name]], standard_error = se[[name]],
      p = 2 * pnorm(-abs(z)), ratio = exp(estimate[[name]]),
      ci_low = exp(estimate[[name]] - qnorm(0.975) * se[[name]]),
      ci_high = exp(estimate[[name]] + qnorm(0.975) * se[[name]]))
  }
}
fit_cox <- function(data, time, event, variables)
  coxph(as.formula(paste0("Surv(", time, ",", event, ") ~ ", paste(variables, collapse = "+"))),
    data = data, ties = "efron", control = tight_cox)
model_name <- function(words) if (length(words) == 1) paste0("model_", words) else "model"
cox <- function(case, ...) {
  fit <- fit_cox(...)
  keep_coefficients(case, coef(fit), sqrt(diag(vcov(fit))))
  keep(case, model_name(names(coef(fit))), log_likelihood = fit$loglik[2], likelihood_ratio = 2 * diff(fit$loglik),
    n = fit$n, events = fit$nevent)
}
fit_glm <- function(data, outcome, variables)
  glm(as.formula(paste(outcome, "~", paste(variables, collapse = "+"))), data = data,
    family = binomial, control = tight_glm)
logistic <- function(case, ...) {
  fit <- fit_glm(...)
  keep_coefficients(case, coef(fit)[-1], sqrt(diag(vcov(fit)))[-1])
  keep(case, model_name(names(coef(fit))[-1]), log_likelihood = as.numeric(logLik(fit)),
    likelihood_ratio = fit$null.deviance - fit$deviance, intercept = coef(fit)[[1]])
}
eliminate <- function(case, variables, fit) {
  step <- 0
  repeat {
    fitted <- fit(variables)
    estimate <- coef(fitted)[variables]
    z <- estimate / sqrt(diag(vcov(fitted)))[variables]
    p <- 2 * pnorm(-abs(z))
    if (max(p) <= 0.10) break
    step <- step + 1
    keep(case, names(which.max(p)), step = step, p = max(p))
    variables <- setdiff(variables, names(which.max(p)))
  }
  keep_coefficients(paste0(case, "_retained"), coef(fitted)[variables], sqrt(diag(vcov(fitted)))[variables])
}
km <- function(case, time, event, at) {
  fit <- survfit(Surv(time, event) ~ 1, conf.type = "log-log")
  median <- summary(fit)$table
  keep(case, "median", estimate = median[["median"]], ci_low = median[["0.95LCL"]],
    ci_high = median[["0.95UCL"]])
  rates <- summary(fit, times = at)
  for (i in seq_along(rates$time))
    keep(case, paste0("at_", rates$time[i]),
      estimate = rates$surv[i], ci_low = rates$lower[i], ci_high = rates$upper[i],
      n_at_risk = rates$n.risk[i])
}
logrank <- function(case, time, event, group) {
  test <- survdiff(Surv(time, event) ~ group)
  df <- length(test$n) - 1
  keep(case, "test", chi_square = test$chisq, degrees_of_freedom = df,
    p = pchisq(test$chisq, df, lower.tail = FALSE))
}
t_test <- function(case, test) {
  difference <- if (length(test$estimate) == 2) test$estimate[[1]] - test$estimate[[2]] else test$estimate[[1]]
  keep(case, "test", t = test$statistic[["t"]], degrees_of_freedom = test$parameter[["df"]],
    p = test$p.value, difference = difference, ci_low = test$conf.int[1], ci_high = test$conf.int[2])
}
chi_square <- function(case, table) {
  test <- suppressWarnings(chisq.test(table, correct = FALSE))
  keep(case, "test", chi_square = test$statistic[[1]], degrees_of_freedom = test$parameter[[1]],
    p = test$p.value, smallest_expected = min(test$expected))
}
area <- function(case, outcome, score, direction) {
  curve <- roc(outcome, score, direction = direction, quiet = TRUE)
  limits <- ci.auc(curve, method = "delong")
  best <- coords(curve, "best", best.method = "youden", ret = c("threshold", "sensitivity", "specificity"))
  best <- best[which.min(best$threshold), ]
  keep(case, "auc", estimate = as.numeric(curve$auc), ci_low = limits[1], ci_high = limits[3])
  keep(case, "youden", cutoff = best$threshold, sensitivity = best$sensitivity,
    specificity = best$specificity)
}

cohort <- read.csv("cohort.csv")
survival_words <- c("age_gt_60", "female", "hepatitis_viral", "multiple_tumors", "cirrhosis", "child_pugh_b",
  "pvtt", "previous_treatment", "uicc_iii_iv", "afp_per_ng_ml", "pivka_ii_per_mau_ml", "baseline_lymphopenia",
  "combined_therapy", "dose_per_gy", "pre_rt_il7_per_pg_ml", "post_rt_il7_per_pg_ml", "asl")
asl_words <- c(survival_words[1:14], "ptv_per_100_cm3", "pre_rt_il7_per_pg_ml")
ordinal <- function(words) sub("uicc_iii_iv", "uicc_ordinal", words)

for (word in survival_words) cox("cox_alone", cohort, "os_months", "has_died", word)
cox("cox_together", cohort, "os_months", "has_died", ordinal(survival_words))
eliminate("cox_elimination", ordinal(survival_words),
  function(words) fit_cox(cohort, "os_months", "has_died", words))
for (word in asl_words) logistic("logistic_alone", cohort, "has_asl", word)
logistic("logistic_together", cohort, "has_asl", ordinal(asl_words))
eliminate("logistic_elimination", ordinal(asl_words), function(words) fit_glm(cohort, "has_asl", words))

months <- c(6, 12, 24, 36)
with(cohort, {
  km("km_all", os_months, has_died, months)
  for (value in 0:1) km(paste0("km_asl_", value), os_months[has_asl == value], has_died[has_asl == value], months)
  km("km_pfs", pfs_months, has_progressed_or_died, months)
  km("km_reverse", os_months, 1 - has_died, c(12, 24))
  logrank("logrank_asl", os_months, has_died, has_asl)
  logrank("logrank_pfs", pfs_months, has_progressed_or_died, has_asl)
  logrank("logrank_stage", os_months, has_died, uicc_stage)
  il7 <- split(pre_rt_il7_pg_ml, has_asl)
  t_test("t_student", t.test(il7[["1"]], il7[["0"]], var.equal = TRUE))
  t_test("t_welch", t.test(il7[["1"]], il7[["0"]]))
  t_test("t_paired", t.test(post_rt_il7_pg_ml, pre_rt_il7_pg_ml, paired = TRUE))
  chi_square("chi_square_2x2", table(has_asl, il7_group))
  chi_square("chi_square_3x2", table(viral_type, il7_group))
  area("roc_il7", has_asl, pre_rt_il7_pg_ml, ">")
  area("roc_baseline", has_asl, baseline_tlc_cells_per_ul, ">")
  area("roc_age", has_died, age_years, "<")
  keep("describe_il7", "all", mean = mean(pre_rt_il7_pg_ml), sd = sd(pre_rt_il7_pg_ml),
    median = median(pre_rt_il7_pg_ml))
})
keep("bonferroni", "six", setNames(p.adjust(c(0.001, 0.02, 0.2, 0.5, 0.9, 1), "bonferroni"), paste0("p", 1:6)))

ties <- read.csv("ties.csv")
cox("cox_ties", ties, "time", "event", c("x", "y", "large"))
km("km_ties", ties$time, ties$event, 1:9)
logrank("logrank_ties", ties$time, ties$event, ties$group)
# The curve lies on one half between 2 and 3, and ends at 0.
km("km_on_the_half", c(1, 2, 3, 4), c(1, 1, 1, 1), 1:4)
# The last ones alive are censored on the half.
km("km_ends_on_the_half", c(1, 2, 3, 3), c(1, 1, 0, 0), 1:3)

folder <- commandArgs(trailingOnly = TRUE)
if (length(folder) == 1) {
  lung <- read.csv(file.path(folder, "longitudinal-survival-r", "survival_lung.csv"))
  lung$event <- as.integer(lung$status == 2)
  lung <- lung[complete.cases(lung[c("time", "event", "age", "sex", "ph.ecog")]), ]
  cox("lung_cox", lung, "time", "event", c("age", "sex", "ph.ecog"))
  logistic("lung_logistic", lung, "event", c("age", "sex", "ph.ecog"))
  km("lung_km", lung$time, lung$event, c(180, 365, 730))
  logrank("lung_logrank", lung$time, lung$event, lung$sex)
  area("lung_roc", lung$event, lung$ph.ecog, "<")
  t_test("lung_t_student", t.test(age ~ sex, data = lung, var.equal = TRUE))
  chi_square("lung_chi_square", table(lung$ph.ecog, lung$sex))

  pbc <- read.csv(file.path(folder, "longitudinal-survival-r", "survival_pbc.csv"))
  pbc$event <- as.integer(pbc$status == 2)
  pbc <- pbc[complete.cases(pbc[c("time", "event", "age", "edema", "bili", "albumin", "protime")]), ]
  words <- c("age", "edema", "bili", "albumin", "protime")
  cox("pbc_cox", pbc, "time", "event", words)
  logistic("pbc_logistic", pbc, "event", words)
  km("pbc_km", pbc$time, pbc$event, c(365, 1825, 3650))
  logrank("pbc_logrank", pbc$time, pbc$event, pbc$edema)
  area("pbc_roc", pbc$event, pbc$bili, "<")
  t_test("pbc_t_welch", t.test(bili ~ event, data = pbc))

  gbsg2 <- read.csv(file.path(folder, "survival-lifelines", "gbsg2.csv"))
  gbsg2$hormone <- as.integer(gbsg2$horTh == "yes")
  gbsg2$post <- as.integer(gbsg2$menostat == "Post")
  words <- c("hormone", "age", "post", "tsize", "pnodes", "progrec", "estrec")
  cox("gbsg2_cox", gbsg2, "time", "cens", words)
  logistic("gbsg2_logistic", gbsg2, "cens", words)
  km("gbsg2_km", gbsg2$time, gbsg2$cens, c(365, 730, 1825))
  logrank("gbsg2_logrank", gbsg2$time, gbsg2$cens, gbsg2$tgrade)
  area("gbsg2_roc", gbsg2$cens, gbsg2$pnodes, "<")
  chi_square("gbsg2_chi_square", table(gbsg2$tgrade, gbsg2$horTh))
}

write.csv(out, "expected.csv", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("survival", packageVersion("survival")),
  paste("pROC", packageVersion("pROC"))), "versions.txt")
