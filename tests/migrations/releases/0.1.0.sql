-- A book as release 0.1.0 kept it, filled by the functions of that release as linli_app. Never edited.
SELECT ledger.open_book(7, '2026-01-01Z'), ledger.open_book(8, '2026-01-01Z');
SELECT (ledger.open_accounts(
    b, ARRAY['issued', 'issued', 'escrow', 'li', 'li', 'chen', 'bakery', 'jar', 'gone'],
    ARRAY['point', 'minute', 'point', 'point', 'minute', 'point', 'point', 'point', 'point'],
    ARRAY[NULL, NULL, 0, 0, 0, 0, NULL, 0, 0], ARRAY[NULL, NULL, NULL, NULL, NULL, NULL, NULL, 100, NULL]::bigint[],
    '2026-01-01Z')).codes FROM unnest(ARRAY[7, 8]) b;
SELECT ledger.close_account(7, 'gone', 'point', '2026-01-01Z');
SELECT (ledger.post(b, 'start', 'opening', ARRAY[ROW('post', 'issued', 'li', 'point', 5000, NULL, NULL),
    ROW('post', 'issued', 'li', 'minute', 90, NULL, NULL)]::ledger.step[],
    '0195d000-0000-7000-8000-00000000a001', NULL, NULL, '2026-01-01Z')).code FROM unnest(ARRAY[7, 8]) b;
-- More than a tile of the tree of seals has leaves.
SELECT (ledger.post(7, 'gift:' || n, 'gift', ARRAY[ROW('post', 'li', 'chen', 'point', 1 + n % 5, NULL, NULL)]::ledger.step[],
    NULL, '0195d000-0000-7000-8000-00000000a002', NULL, '2026-01-02Z'::timestamptz + n * interval '1 minute')).code
  FROM generate_series(1, 300) n;
SELECT (ledger.post(7, 'hold:' || n, 'voucher', ARRAY[ROW('hold', 'li', NULL, 'point', 30,
    ('0195d000-0000-7000-8000-00000000000' || n)::uuid, NULL)]::ledger.step[], NULL, NULL, NULL, '2026-01-03Z')).code
  FROM generate_series(1, 4) n;
SELECT (ledger.post(7, 'hold:5', 'voucher', ARRAY[ROW('hold', 'chen', NULL, 'point', 7,
    '0195d000-0000-7000-8000-000000000005', '2026-02-01Z')]::ledger.step[], NULL, NULL, NULL, '2026-01-03Z')).code;
SELECT (ledger.post(7, 'use:1', 'voucher', ARRAY[ROW('capture', NULL, 'bakery', NULL, 30,
    '0195d000-0000-7000-8000-000000000001', NULL)]::ledger.step[], NULL, NULL, NULL, '2026-01-04Z')).code;
SELECT (ledger.post(7, 'use:2', 'voucher', ARRAY[ROW('capture', NULL, 'bakery', NULL, 10,
    '0195d000-0000-7000-8000-000000000002', NULL), ROW('release', NULL, NULL, NULL, NULL,
    '0195d000-0000-7000-8000-000000000002', NULL)]::ledger.step[], NULL, NULL, '2026-01-03T12:00Z', '2026-01-04Z')).code;
SELECT (ledger.post(7, 'back:3', 'voucher', ARRAY[ROW('release', NULL, NULL, NULL, NULL,
    '0195d000-0000-7000-8000-000000000003', NULL)]::ledger.step[], NULL, NULL, NULL, '2026-01-04Z')).code;
SELECT (ledger.post(7, 'chain', 'gift', ARRAY[ROW('post', 'li', 'chen', 'point', 50, NULL, NULL),
    ROW('post', 'li', 'jar', 'point', 20, NULL, NULL), ROW('post', 'li', 'bakery', 'point', 5, NULL, NULL)]::ledger.step[],
    NULL, NULL, NULL, '2026-01-05Z')).code;
SELECT (ledger.reverse(7, 'undo', 'chain', 'typo', NULL, NULL, NULL, NULL, '2026-01-06Z')).code;
SELECT (ledger.reverse(7, 'undo a part', 'gift:7', 'typo', ARRAY[ROW('post', 'chen', 'li', 'point', 1, NULL, NULL)]::ledger.step[],
    NULL, NULL, NULL, '2026-01-06Z')).code;
SELECT (ledger.post(7, 'too much', 'gift', ARRAY[ROW('post', 'chen', 'jar', 'point', 101, NULL, NULL)]::ledger.step[],
    NULL, NULL, NULL, '2026-01-06Z')).code;
