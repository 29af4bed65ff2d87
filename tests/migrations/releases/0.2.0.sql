-- What release 0.2.0 could do besides, after 0.1.0.sql, by its own functions as linli_app; the seal is of its own making. Never edited.
SELECT (ledger.post(7, 'hold:6', 'voucher', ARRAY[ROW('hold', 'chen', NULL, 'point', 8,
    '0195d000-0000-7000-8000-000000000006', '2026-02-02Z')]::ledger.step[], NULL, NULL, NULL, '2026-01-07Z')).code;
SELECT ledger.close_period(7, '2026-01-01Z', '0195d000-0000-7000-8000-00000000a001', '2026-01-08Z');
SELECT code FROM ledger.allow_debt(7, 'chen', 'point', 'typo', 500, '0195d000-0000-7000-8000-00000000a001', '2026-01-08Z');
SELECT (ledger.post(7, 'spent', 'gift', ARRAY[ROW('post', 'chen', 'bakery', 'point', 884, NULL, NULL)]::ledger.step[],
    NULL, NULL, NULL, '2026-01-09Z')).code;
SELECT (ledger.reverse(7, 'into debt', 'gift:299', 'typo', NULL, NULL, NULL, NULL, '2026-01-09Z')).code;
SELECT codes FROM ledger.expire(7, 'expired', NULL, NULL, NULL, 100, '2026-02-01T12:00Z');
SELECT ledger.mark_lines(7, 10000);
SELECT * FROM ledger.lock_tree(7);
SELECT ledger.grow_tree(7, 0, 322, '\x43b6e865fb38e6d0ca98875617bc6f4e36d50126dbcf6413ac99c4167d3b5b47205a54de84eef01b73d6560d27e6746bb33ecdf144f617899059e23113f81593ca23e4f9e378a228776c6169be01b9c758654c3fbfd234ba1a4e646112480b62',
    ARRAY[8]::smallint[], ARRAY[0]::bigint[], ARRAY['\x43b6e865fb38e6d0ca98875617bc6f4e36d50126dbcf6413ac99c4167d3b5b47']::bytea[]);
SELECT ledger.add_seal(7, 1, 322, '\x026138349ffa84c8f5b3a5db959e01e3e4e92b80dc1daea23b295ad963e57f31',
    '\x43b6e865fb38e6d0ca98875617bc6f4e36d50126dbcf6413ac99c4167d3b5b47205a54de84eef01b73d6560d27e6746bb33ecdf144f617899059e23113f81593ca23e4f9e378a228776c6169be01b9c758654c3fbfd234ba1a4e646112480b62',
    '\x0000000000000000000000000000000000000000000000000000000000000000', '2026-03-01Z', '56475AA75463474C',
    '\x03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8',
    '\xd91f610d1ff0c7f1232327490c509348e4c91c4916daab23342177f7129ba79eb09b3147eb2fab993fbd7eadf6bee4e8fd7946339c1034959cb653e980ca080d',
    ARRAY['bakery point 924', 'chen point 2', 'escrow point 38', 'issued minute -90', 'issued point -5000', 'li minute 90', 'li point 4036']);
