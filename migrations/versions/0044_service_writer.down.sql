DROP FUNCTION public.service_lock, public.service_write;
