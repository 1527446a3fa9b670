export interface ReportRow {
  readonly customer: string;
  readonly orders: number;
  readonly revenueCents: number;
  readonly marginCents: number;
}

/*
 * Revenue per customer and how far to trust it, by the bootstrap method: each round draws every
 * order 0, 1 or 2 times, and the spread over the rounds is the margin of error.
 */
export const REPORT_SQL = `
  WITH drawn AS (
    SELECT o.customer,
           round,
           count(*) AS orders,
           sum(o.amount_cents::bigint * ((hashint8(o.id::bigint * 65537 + round) & 2147483647) % 3))
             AS revenue
    FROM orders AS o
    CROSS JOIN generate_series(1, 5 * $1::integer) AS round
    GROUP BY o.customer, round
  )
  SELECT customer,
         max(orders)::integer AS "orders",
         avg(revenue)::float8 AS "revenueCents",
         coalesce(1.96 * stddev_samp(revenue), 0)::float8 AS "marginCents"
  FROM drawn
  GROUP BY customer
  ORDER BY 3 DESC
  LIMIT 50`;
