"""Statistics for decisions (统计分析): flows, stocks, grade distributions, their charts and workbooks. Counts alone."""
