# R's numbers for logistic regression and what goes with it: tests of the whole model, Firth's penalised fits
# (logistic and Cox), profile-likelihood intervals, restricted cubic splines, dfbetas, ROC at its extremes.
# Run by hand from this folder: Rscript logistic.R [folder with pbc, lung and gbsg2]
# Reads cohort.csv and ties.csv, writes logistic.csv: case, name, statistic, value (17 digits).
# Of the third-party data sets only R's numbers are kept here, and none of a single patient.
suppressPackageStartupMessages({library(survival); library(pROC); library(brglm2); library(Hmisc)})

out <- data.frame()
keep <- function(.case, .name, ...) {
  found <- c(...)
  out <<- rbind(out, data.frame(case = .case, name = .name, statistic = names(found),
    value = trimws(formatC(unname(found), digits = 17, format = "g"))))
}
tight_cox <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 200)
tight_glm <- glm.control(epsilon = 1e-14, maxit = 200)
drop_95 <- qchisq(0.95, 1)

# The tests of a whole logistic model. R's weights are one step old: the fit starts where it has ended.
fit_glm <- function(x, y, ...) {
  fit <- suppressWarnings(glm(y ~ x, family = binomial, control = tight_glm, ...))
  suppressWarnings(glm(y ~ x, family = binomial, control = tight_glm, start = coef(fit), ...))
}
model_tests <- function(case, x, y) {
  fit <- fit_glm(x, y)
  null <- glm(y ~ 1, family = binomial, control = tight_glm)
  b <- coef(fit)[-1]
  # R's own score test keeps seven digits: its weights are one step old too.
  centred <- sweep(x, 2, colMeans(x)); share <- mean(y)
  slope <- crossprod(centred, y - share)
  score <- drop(crossprod(slope, solve(share * (1 - share) * crossprod(centred), slope, tol = 0)))
  stopifnot(abs(anova(null, fit, test = "Rao")$Rao[2] / score - 1) < 1e-6)
  keep(case, "model", wald = drop(b %*% solve(vcov(fit)[-1, -1], b)),
    score = score,
    likelihood_ratio = null$deviance - fit$deviance, degrees_of_freedom = length(b))
}

# Penalised likelihoods: value, gradient and information. Everything is summed plainly over patients and deaths.
penalised_logistic <- function(x, y) {
  x <- cbind(1, sweep(x, 2, colMeans(x)))
  function(b) {
    p <- plogis(drop(x %*% b)); w <- p * plogis(-drop(x %*% b))
    information <- crossprod(x, w * x)
    h <- w * rowSums((x %*% solve(information, tol = 0)) * x)
    list(value = sum(log(ifelse(y == 1, p, 1 - p))) + as.numeric(determinant(information)$modulus) / 2,
      score = drop(crossprod(x, y - p + h * (0.5 - p))), information = information)
  }
}
penalised_cox <- function(x, time, event, ties) {
  x <- sweep(x, 2, colMeans(x))
  # One death at a time: who is at risk, and with what weight the tied dead still are.
  deaths <- list()
  for (at in sort(unique(time[event == 1]))) {
    dying <- which(time == at & event == 1)
    for (r in seq_along(dying)) {
      left <- if (ties == "efron") (r - 1) / length(dying) else 0
      weight <- as.numeric(time >= at); weight[dying] <- 1 - left
      deaths[[length(deaths) + 1]] <- list(row = dying[r], weight = weight)
    }
  }
  function(b) {
    hazard <- exp(drop(x %*% b))
    moments <- lapply(deaths, function(death) {
      w <- death$weight * hazard; total <- sum(w); w <- w / total
      centred <- sweep(x, 2, colSums(w * x))
      list(w = w, centred = centred, total = total, variance = crossprod(centred, w * centred))
    })
    information <- Reduce(`+`, lapply(moments, `[[`, "variance"))
    inverse <- solve(information, tol = 0)
    value <- 0; score <- numeric(ncol(x))
    for (i in seq_along(deaths)) {
      m <- moments[[i]]; row <- deaths[[i]]$row
      value <- value + log(hazard[row]) - log(m$total)
      score <- score + m$centred[row, ] +
        0.5 * colSums(m$w * rowSums((m$centred %*% inverse) * m$centred) * m$centred)
    }
    list(value = unname(value) + as.numeric(determinant(information)$modulus) / 2, score = score,
      information = information, plain = unname(value))
  }
}
# Scoring with halved steps, until a step is 1e-13 of a standard error.
climb <- function(evaluate, start, free = seq_along(start)) {
  b <- start; here <- evaluate(b)
  if (length(free) == 0) return(list(b = b, value = here$value))
  for (i in 1:2000) {
    step <- numeric(length(b))
    step[free] <- solve(here$information[free, free, drop = FALSE], here$score[free], tol = 0)
    if (max(abs(step) * sqrt(diag(here$information))) < 1e-12) return(list(b = unname(b), value = here$value))
    share <- 1
    repeat {
      there <- tryCatch(evaluate(b + share * step), error = function(e) list(value = -Inf))
      if (is.finite(there$value) && there$value >= here$value - 1e-11 * (1 + abs(here$value))) break
      share <- share / 2
    }
    b <- b + share * step; here <- there
  }
  stop("no end")
}
limits <- function(fall, estimate, se) sapply(c(-1, 1), function(side) {
  near <- 0; far <- 1
  while (fall(estimate + side * far * se) < drop_95) { near <- far; far <- 2 * far }
  estimate + side * se * uniroot(function(t) fall(estimate + side * t * se) - drop_95, c(near, far),
    tol = 1e-13)$root
})
firth <- function(case, evaluate, names, n_before) {
  top <- climb(evaluate, numeric(length(names) + n_before))
  se <- unname(sqrt(diag(solve(evaluate(top$b)$information, tol = 0))))
  for (j in seq_along(names)) {
    k <- j + n_before; free <- setdiff(seq_along(top$b), k)
    fall <- function(value) { start <- top$b; start[k] <- value
      2 * (top$value - climb(evaluate, start, free)$value) }
    interval <- limits(fall, top$b[k], se[k])
    keep(case, names[j], coefficient = top$b[k], ci_low = interval[1], ci_high = interval[2],
      chi_square = fall(0), p = pchisq(fall(0), 1, lower.tail = FALSE))
  }
  keep(case, "model", penalised_log_likelihood = unname(top$value))
  top
}
firth_logistic <- function(case, x, y) {
  top <- firth(case, penalised_logistic(x, y), colnames(x), 1)
  # In standard deviations brglm2 has no trouble with large scales.
  spread <- apply(x, 2, sd)
  other <- glm(y ~ sweep(x, 2, spread, "/"), family = binomial, method = "brglmFit", type = "AS_mean",
    epsilon = 1e-12, maxit = 10000)
  gap <- max(abs(coef(other)[-1] / spread / top$b[-1] - 1))
  cat(case, "brglm2 differs by", gap, "\n"); stopifnot(gap < 1e-6)
}
firth_cox <- function(case, x, time, event, ties) {
  evaluate <- penalised_cox(x, time, event, ties)
  top <- firth(case, evaluate, colnames(x), 0)
  # The plain parts are coxph's own.
  at <- coxph(Surv(time, event) ~ x, init = top$b, iter.max = 0, ties = ties)
  stopifnot(abs(at$loglik[2] / evaluate(top$b)$plain - 1) < 1e-12,
    max(abs(solve(vcov(at), tol = 0) / evaluate(top$b)$information - 1)) < 1e-6)
}

# Profile-likelihood intervals: refits with the held coefficient as an offset.
profile_logistic <- function(case, x, y) {
  fit <- fit_glm(x, y)
  for (name in colnames(x)) {
    others <- cbind(1, x[, colnames(x) != name, drop = FALSE])
    fall <- function(value) suppressWarnings(glm.fit(others, y, offset = value * x[, name],
      family = binomial(), control = tight_glm))$deviance - fit$deviance
    name_in_fit <- if (ncol(x) == 1) "x" else paste0("x", name)
    estimate <- coef(fit)[[name_in_fit]]
    interval <- limits(fall, estimate, sqrt(vcov(fit)[name_in_fit, name_in_fit]))
    keep(case, name, coefficient = estimate, ci_low = interval[1], ci_high = interval[2],
      chi_square = fall(0), p = pchisq(fall(0), 1, lower.tail = FALSE))
  }
}
profile_cox <- function(case, x, time, event, ties) {
  surv <- Surv(time, event)
  fit <- coxph(surv ~ x, ties = ties, control = tight_cox)
  for (j in seq_len(ncol(x))) {
    fall <- function(value) {
      held <- value * (x[, j] - mean(x[, j]))
      with <- if (ncol(x) == 1) coxph(surv ~ offset(held), ties = ties)
        else coxph(surv ~ x[, -j, drop = FALSE] + offset(held), ties = ties, control = tight_cox)
      2 * (fit$loglik[2] - tail(with$loglik, 1))
    }
    interval <- limits(fall, coef(fit)[[j]], sqrt(vcov(fit)[j, j]))
    keep(case, colnames(x)[j], coefficient = coef(fit)[[j]], ci_low = interval[1], ci_high = interval[2],
      chi_square = fall(0), p = pchisq(fall(0), 1, lower.tail = FALSE))
  }
}

# Functional form: the spline term of each continuous variable, the model's other variables beside it.
spline <- function(x) rcspline.eval(x, knots = quantile(x, c(0.1, 0.5, 0.9)), inclx = FALSE, norm = 2)
form_logistic <- function(case, x, y, words) for (word in words) {
  term <- spline(x[, word])
  chi <- fit_glm(x, y)$deviance - fit_glm(cbind(x, term), y)$deviance
  keep(case, word, chi_square = chi, p = pchisq(chi, 1, lower.tail = FALSE), sum = sum(term), squares = sum(term^2))
}
form_cox <- function(case, x, time, event, words) for (word in words) {
  surv <- Surv(time, event); term <- spline(x[, word])
  chi <- 2 * (coxph(surv ~ cbind(x, term), control = tight_cox)$loglik[2] -
    coxph(surv ~ x, control = tight_cox)$loglik[2])
  keep(case, word, chi_square = chi, p = pchisq(chi, 1, lower.tail = FALSE))
}

# Influence: sums over patients, and the exact refits without each, from 201 patients on without each of the ten
# who pull the coefficient up most and of the ten who pull it down most.
influence_logistic <- function(case, x, y) {
  fit <- fit_glm(x, y); all <- dfbetas(fit)
  for (j in seq_len(ncol(x))) {
    d <- all[, j + 1]
    left_out <- if (length(d) <= 200) seq_along(d) else c(order(d)[1:10], order(-d)[1:10])
    without <- sapply(left_out, function(i) coef(fit_glm(x[-i, , drop = FALSE], y[-i]))[[j + 1]])
    keep(case, colnames(x)[j], max_abs_dfbetas = max(abs(d)), n_influential = sum(abs(d) > 2 / sqrt(length(d))),
      sum = sum(d), sum_abs = sum(abs(d)), squares = sum(d^2),
      ratio_without_low = exp(min(without)), ratio_without_high = exp(max(without)))
  }
}
area <- function(case, outcome, score) {
  curve <- roc(outcome, score, direction = "<", quiet = TRUE)
  limits <- suppressWarnings(ci.auc(curve, method = "delong"))
  keep(case, "auc", estimate = as.numeric(curve$auc), ci_low = limits[1], ci_high = limits[3])
}

all_of <- function(name, data, time, event, words, continuous) {
  x <- as.matrix(data[words]); y <- as.integer(data[[event]]); months <- data[[time]]
  model_tests(paste0(name, "_tests"), x, y)
  firth_logistic(paste0(name, "_firth_logistic"), x, y)
  firth_cox(paste0(name, "_firth_cox"), x, months, y, "efron")
  profile_logistic(paste0(name, "_profile_logistic"), x, y)
  profile_cox(paste0(name, "_profile_cox"), x, months, y, "efron")
  form_logistic(paste0(name, "_form_logistic"), x, y, continuous)
  form_cox(paste0(name, "_form_cox"), x, months, y, continuous)
  influence_logistic(paste0(name, "_influence"), x, y)
}

cohort <- read.csv("cohort.csv")
asl_words <- c("age_gt_60", "female", "hepatitis_viral", "multiple_tumors", "cirrhosis", "child_pugh_b", "pvtt",
  "previous_treatment", "uicc_iii_iv", "afp_per_ng_ml", "pivka_ii_per_mau_ml", "baseline_lymphopenia",
  "combined_therapy", "dose_per_gy", "ptv_per_100_cm3", "pre_rt_il7_per_pg_ml")
x <- as.matrix(cohort[sub("uicc_iii_iv", "uicc_ordinal", asl_words)])
for (word in asl_words) model_tests(paste0("tests_", word), as.matrix(cohort[word]), cohort$has_asl)
model_tests("tests_together", x, cohort$has_asl)
firth_logistic("firth_logistic_together", x, cohort$has_asl)
profile_logistic("profile_logistic_together", x, cohort$has_asl)
influence_logistic("influence_together", x, cohort$has_asl)
some <- c("pvtt", "baseline_lymphopenia", "pivka_ii_per_mau_ml", "ptv_per_100_cm3", "pre_rt_il7_per_pg_ml")
all_of("cohort_asl", cohort, "os_months", "has_asl", some, some[3:5])
all_of("cohort_os", cohort, "os_months", "has_died", some, some[3:5])
for (word in some) {
  alone <- as.matrix(cohort[word])
  firth_logistic(paste0("firth_logistic_", word), alone, cohort$has_asl)
  profile_logistic(paste0("profile_logistic_", word), alone, cohort$has_asl)
  firth_cox(paste0("firth_cox_", word), alone, cohort$os_months, cohort$has_died, "efron")
  profile_cox(paste0("profile_cox_", word), alone, cohort$os_months, cohort$has_died, "efron")
}

ties <- read.csv("ties.csv")
all_of("ties", ties, "time", "event", c("x", "y", "large"), c("x", "large"))
x <- as.matrix(ties[c("x", "y", "large")])
firth_cox("ties_firth_cox_breslow", x, ties$time, ties$event, "breslow")
profile_cox("ties_profile_cox_breslow", x, ties$time, ties$event, "breslow")

# Separated: nobody exposed is without the outcome; whoever has a high value dies first.
exposed <- cbind(exposed = rep(c(1, 0, 0), c(6, 20, 30)))
firth_logistic("separated_firth_logistic", exposed, rep(c(1, 1, 0), c(6, 20, 30)))
apart <- cbind(value = c(1:10, 12:21), other = c(0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0))
firth_logistic("apart_firth_logistic", apart, rep(0:1, each = 10))
for (rule in c("efron", "breslow"))
  firth_cox(paste0("separated_firth_cox_", rule), cbind(exposed = rep(0:1, each = 10), other = rep(c(0, 1, 1, 0), 5)),
    c(1, 2, 2, 3, 3, 3, 4, 5, 6, 6, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9), rep(1:0, each = 10), rule)

area("roc_perfect", c(0, 0, 0, 1, 1), c(1, 2, 2, 3, 4))
area("roc_reversed", c(1, 1, 0, 0, 0), c(1, 2, 3, 3, 4))
area("roc_half", c(0, 1, 1, 0, 0, 1), c(1, 1, 2, 2, 3, 3))
area("roc_ties", ties$event, round(ties$x))

folder <- commandArgs(trailingOnly = TRUE)
if (length(folder) == 1) {
  lung <- read.csv(file.path(folder, "longitudinal-survival-r", "survival_lung.csv"))
  lung$event <- as.integer(lung$status == 2)
  lung <- lung[complete.cases(lung[c("time", "event", "age", "sex", "ph.ecog")]), ]
  all_of("lung", lung, "time", "event", c("age", "sex", "ph.ecog"), "age")
  area("lung_roc_age", lung$event, lung$age)

  pbc <- read.csv(file.path(folder, "longitudinal-survival-r", "survival_pbc.csv"))
  pbc$event <- as.integer(pbc$status == 2)
  words <- c("age", "edema", "bili", "albumin", "protime")
  pbc <- pbc[complete.cases(pbc[c("time", "event", words)]), ]
  all_of("pbc", pbc, "time", "event", words, words[-2])
  area("pbc_roc_edema", pbc$event, pbc$edema)

  gbsg2 <- read.csv(file.path(folder, "survival-lifelines", "gbsg2.csv"))
  gbsg2$hormone <- as.integer(gbsg2$horTh == "yes")
  gbsg2$post <- as.integer(gbsg2$menostat == "Post")
  words <- c("hormone", "age", "post", "tsize", "pnodes", "progrec", "estrec")
  all_of("gbsg2", gbsg2, "time", "cens", words, words[c(2, 4:7)])
  area("gbsg2_roc_tsize", gbsg2$cens, gbsg2$tsize)
}

write.csv(out, "logistic.csv", row.names = FALSE, quote = FALSE)
