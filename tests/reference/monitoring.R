# Sequential evidence against scores, exact limits of observed over expected, gains in log loss, by plain R.
# Run by hand from this folder: Rscript monitoring.R
# The scores are a formula, the same as in tests/models/test_monitoring.py; writes monitoring.csv.
n <- 120
i <- 1:n
p <- plogis(sin(i) - 0.3)
y <- as.integer((i * 7) %% 11 < 5)
out <- data.frame()
keep <- function(case, name, ...) {
  found <- c(...)
  out <<- rbind(out, data.frame(case = case, name = name, statistic = names(found),
    value = trimws(formatC(unname(found), digits = 17, format = "g"))))
}

# The gambler's purse, bet by bet: a part sleeps until its start, then each outcome multiplies it.
purse <- function(bet) {
  parts <- c(); asleep <- 1; money <- numeric(n)
  for (m in i) {
    if ((m - 1) %% 25 == 0) {
      k <- length(parts) + 1
      share <- 1 / (k * (k + 1)); parts <- c(parts, share); asleep <- asleep - share
    }
    pays <- if (y[m] == 1) bet[m] / p[m] else (1 - bet[m]) / (1 - p[m])
    parts <- parts * pays
    money[m] <- sum(parts) + asleep
  }
  money
}
factors <- c(1 / 3, 1 / 2, 2 / 3, 3 / 2, 2, 3)
odds <- rowMeans(sapply(factors, function(f) purse(f * p / (1 - p + f * p))))
share <- sapply(i, function(m) (sum(y[seq_len(m - 1)]) + 10 * mean(p[1:m])) / (m - 1 + 10))
constant <- purse(share)
for (m in c(1, 10, 26, 60, 120))
  keep("evidence", paste0("after_", m), odds = odds[m], constant = constant[m], all = (odds[m] + constant[m]) / 2)

for (m in c(1, 10, 120)) {
  test <- binom.test(sum(y[1:m]), m)
  keep("observed_to_expected", paste0("first_", m), value = sum(y[1:m]) / sum(p[1:m]),
       low = test$conf.int[1] / mean(p[1:m]), high = test$conf.int[2] / mean(p[1:m]))
}
loss <- function(q) -ifelse(y == 1, log(q), log(1 - q))
rival <- plogis(cos(i) - 0.3)
keep("gain", "all", champion = mean(loss(rival) - loss(p)), constant = mean(loss(rep(mean(y), n)) - loss(p)))
slope <- coef(glm(y ~ qlogis(p), family = binomial, control = glm.control(epsilon = 1e-14)))[2]
keep("gain", "alone", slope = unname(slope), observed_to_expected = sum(y) / sum(p))
write.csv(out, "monitoring.csv", row.names = FALSE, quote = FALSE)
