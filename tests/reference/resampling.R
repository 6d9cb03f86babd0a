# Concordance, elimination by likelihood ratio, and what one resample of an elimination tells, by R's survival,
# stats and pROC. Run by hand from this folder, after make_data.py:
# Rscript resampling.R [folder with pbc, lung, gbsg2]
# Reads cohort.csv and ties.csv, writes resampling.csv: case, name, statistic, value (17 digits).
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
fit_cox <- function(data, words) coxph(as.formula(paste("Surv(os_months, has_died) ~", paste(words, collapse = "+"))),
  data = data, ties = "efron", control = tight_cox)
fit_glm <- function(data, words) glm(as.formula(paste("has_asl ~", paste(words, collapse = "+"))),
  data = data, family = binomial, control = tight_glm)

concordance_of <- function(case, time, event, score) {
  found <- concordance(Surv(time, event) ~ score, reverse = TRUE)
  keep(case, "concordance", concordant = found$count[["concordant"]], discordant = found$count[["discordant"]],
    tied_score = found$count[["tied.x"]], value = found$concordance)
}

# The p of the test that removes; by likelihood ratio, without its last variable a model is none.
p_wald <- function(data, words, fit) {
  fitted <- fit(data, words)
  z <- coef(fitted)[words] / sqrt(diag(vcov(fitted)))[words]
  2 * pnorm(-abs(z))
}
p_ratio <- function(data, words, fit) {
  top <- as.numeric(logLik(fit(data, words)))
  sapply(words, function(word) {
    rest <- setdiff(words, word)
    without <- as.numeric(logLik(fit(data, if (length(rest)) rest else "1")))
    pchisq(2 * (top - without), 1, lower.tail = FALSE)
  })
}
eliminate <- function(data, words, fit, p_of, on_step = function(...) NULL) {
  step <- 0
  while (length(words)) {
    p <- p_of(data, words, fit)
    if (max(p) <= 0.10) break
    step <- step + 1
    on_step(step, words[which.max(p)], max(p))
    words <- words[-which.max(p)]
  }
  words
}

cohort <- read.csv("cohort.csv")
survival_words <- c("age_gt_60", "female", "hepatitis_viral", "multiple_tumors", "cirrhosis", "child_pugh_b",
  "pvtt", "previous_treatment", "uicc_ordinal", "afp_per_ng_ml", "pivka_ii_per_mau_ml", "baseline_lymphopenia",
  "combined_therapy", "dose_per_gy", "pre_rt_il7_per_pg_ml", "post_rt_il7_per_pg_ml", "asl")
asl_words <- c(survival_words[1:14], "ptv_per_100_cm3", "pre_rt_il7_per_pg_ml")
models <- list(cox = list(words = survival_words, fit = fit_cox), logistic = list(words = asl_words, fit = fit_glm))

for (name in names(models)) with(models[[name]], {
  case <- paste0(name, "_by_ratio")
  retained <- eliminate(cohort, words, fit, p_ratio, function(step, word, p) keep(case, word, step = step, p = p))
  fitted <- fit(cohort, retained)
  for (word in retained) keep(paste0(case, "_retained"), word, coefficient = coef(fitted)[[word]])
})
# All of these go, down to the empty model.
keep_empty <- function(step, word, p) keep("cox_by_ratio_empty", word, step = step, p = p)
eliminate(cohort, c("hepatitis_viral", "multiple_tumors", "pvtt"), fit_cox, p_ratio, keep_empty)

score_in <- function(data, fitted, words) as.matrix(data[words]) %*% coef(fitted)[words]
discriminate <- list(
  cox = function(data, score) concordance(Surv(data$os_months, data$has_died) ~ score, reverse = TRUE)$concordance,
  logistic = function(data, score) as.numeric(auc(data$has_asl, as.vector(score), direction = "<", quiet = TRUE)))
slope <- list(
  cox = function(score) coef(coxph(Surv(os_months, has_died) ~ score, data = cohort, control = tight_cox))[[1]],
  logistic = function(score) coef(glm(cohort$has_asl ~ score, family = binomial, control = tight_glm))[[2]])
n <- nrow(cohort)
for (name in names(models)) for (k in 1:6) {
  # A third of the patients give way to others: any rule would do; the tests have the same.
  at <- 0:(n - 1)
  rows <- ifelse(at %% 3 == k %% 3, (5 * at + k) %% n, at) + 1
  resampled <- cohort[rows, ]
  fit <- models[[name]]$fit
  full <- suppressWarnings(fit(resampled, models[[name]]$words))
  reach <- abs(coef(full)[models[[name]]$words]) * sapply(resampled[models[[name]]$words], function(x) diff(range(x)))
  case <- paste0(name, "_resample_", k)
  if (anyNA(reach) || max(reach) > 15) { keep(case, "model", converged = 0); next }
  retained <- eliminate(resampled, models[[name]]$words, fit, p_wald)
  score <- score_in(cohort, fit(resampled, retained), retained)
  keep(case, "model", converged = 1, slope = slope[[name]](score),
    optimism = discriminate[[name]](resampled, score[rows]) - discriminate[[name]](cohort, score))
  for (word in retained) keep(case, word, retained = 1)
}

concordance_of("cohort_ptv", cohort$os_months, cohort$has_died, cohort$ptv_per_100_cm3)
concordance_of("cohort_stage", cohort$os_months, cohort$has_died, cohort$uicc_ordinal)
ties <- read.csv("ties.csv")
concordance_of("ties_x", ties$time, ties$event, ties$x)
concordance_of("ties_y", ties$time, ties$event, ties$y)

folder <- commandArgs(trailingOnly = TRUE)
if (length(folder) == 1) {
  lung <- read.csv(file.path(folder, "longitudinal-survival-r", "survival_lung.csv"))
  lung <- lung[complete.cases(lung[c("time", "status", "age", "sex", "ph.ecog")]), ]
  concordance_of("lung", lung$time, lung$status == 2, lung$ph.ecog)
  pbc <- read.csv(file.path(folder, "longitudinal-survival-r", "survival_pbc.csv"))
  pbc <- pbc[complete.cases(pbc[c("time", "status", "age", "edema", "bili", "albumin", "protime")]), ]
  concordance_of("pbc", pbc$time, pbc$status == 2, pbc$bili)
  gbsg2 <- read.csv(file.path(folder, "survival-lifelines", "gbsg2.csv"))
  concordance_of("gbsg2", gbsg2$time, gbsg2$cens == 1, gbsg2$pnodes)
}

write.csv(out, "resampling.csv", row.names = FALSE, quote = FALSE)
