DROP FUNCTION public.approval_lock, public.approval_write;
REVOKE UPDATE (verdicts) ON hours_review FROM linli_app;
