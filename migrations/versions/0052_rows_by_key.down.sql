ALTER FUNCTION public.service_lock RESET enable_seqscan RESET enable_hashjoin RESET enable_mergejoin;
ALTER FUNCTION public.service_write RESET enable_seqscan RESET enable_hashjoin RESET enable_mergejoin;
ALTER FUNCTION public.approval_lock RESET enable_seqscan RESET enable_hashjoin RESET enable_mergejoin;
ALTER FUNCTION public.approval_write RESET enable_seqscan RESET enable_hashjoin RESET enable_mergejoin;
